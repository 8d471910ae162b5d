#!/usr/bin/env python3
"""Says what a run of CTest came to.

Usage: tests/results.py JUNIT STAGE FAILURES

JUNIT is what ctest --output-junit wrote. Prints "PASSED FAILED SKIPPED": the cases of CMocka programs, and any
other program as one. Appends to the file FAILURES what failed: the test, its cases, their errors, and the end of its output.
"""
import re
import sys
import xml.etree.ElementTree as xml

TAIL_LINES = 40


def cases(output, mark):
    return set(re.findall(r"^\[ *" + mark + r" *\] (\w+)$", output, re.MULTILINE))


def main(junit, stage, failures):
    passed = failed = skipped = 0
    for test in xml.parse(junit).iter("testcase"):
        output = test.findtext("system-out") or ""
        good, bad = cases(output, "OK"), cases(output, "FAILED")
        if test.find("skipped") is not None and test.find("skipped").get("message", "").startswith("SKIP"):
            skipped += 1
        elif test.get("status") == "run":
            passed += len(good) or 1
        else:  # failed, ended by a signal or by its limit of time, or not there to be run
            passed += len(good)
            failed += len(bad) or 1
            why = test.find("failure")
            if why is None:
                why = test.find("skipped")
            with open(failures, "a", encoding="utf-8") as file:
                print(f"FAILED {stage}: {test.get('name')} {' '.join(sorted(bad))}", file=file)
                print(f"    {test.get('status')}: {why.get('message') if why is not None else ''}, "
                      f"{float(test.get('time', 0)):.1f} s", file=file)
                lines = output.rstrip().split("\n")
                told = [line for line in lines[:-TAIL_LINES] if re.match(r"\[ *(ERROR|LINE|FAILED) *\]", line)]
                for line in told[-TAIL_LINES:] + lines[-TAIL_LINES:]:
                    print("    " + line, file=file)
    print(passed, failed, skipped)


if len(sys.argv) != 4:
    sys.exit("usage: tests/results.py JUNIT STAGE FAILURES")
main(*sys.argv[1:])
