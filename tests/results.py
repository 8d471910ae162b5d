#!/usr/bin/env python3
"""Says what a run of CTest came to.

Usage: tests/results.py JUNIT STAGE FAILURES SKIPS

JUNIT is what ctest --output-junit wrote. Prints "PASSED FAILED SKIPPED": the cases of CMocka programs, and any
other program as one. Appends to the file FAILURES what failed: the test, its cases, their errors, and the end of its output;
to the file SKIPS what was skipped: the test and its cases.
"""
import re
import sys
import xml.etree.ElementTree as xml

TAIL_LINES = 40


def cases(output, mark):
    return set(re.findall(r"^\[ *" + mark + r" *\] (\w+)$", output, re.MULTILINE))


def main(junit, stage, failures, skips):
    passed = failed = skipped = 0
    for test in xml.parse(junit).iter("testcase"):
        output = test.findtext("system-out") or ""
        good, bad, left_out = (cases(output, mark) for mark in ("OK", "FAILED", "SKIPPED"))
        why = test.find("skipped")  # it says the same of what was not there to be run
        whole = why is not None and why.get("message", "").startswith("SKIP")
        if whole or left_out:
            skipped += len(left_out) or 1
            with open(skips, "a", encoding="utf-8") as file:
                print(f"skipped {stage}: {test.get('name')} {' '.join(sorted(left_out))}".rstrip(), file=file)
        if whole:
            passed += len(good)
        elif test.get("status") == "run":
            passed += len(good) or int(not left_out)
        else:  # failed, ended by a signal or by its limit of time, or not there to be run
            passed += len(good)
            failed += len(bad) or 1
            if test.find("failure") is not None:
                why = test.find("failure")
            with open(failures, "a", encoding="utf-8") as file:
                print(f"FAILED {stage}: {test.get('name')} {' '.join(sorted(bad))}", file=file)
                print(f"    {test.get('status')}: {why.get('message') if why is not None else ''}, "
                      f"{float(test.get('time', 0)):.1f} s", file=file)
                lines = output.rstrip().split("\n")
                told = [line for line in lines[:-TAIL_LINES] if re.match(r"\[ *(ERROR|LINE|FAILED) *\]", line)]
                for line in told[-TAIL_LINES:] + lines[-TAIL_LINES:]:
                    print("    " + line, file=file)
    print(passed, failed, skipped)


if len(sys.argv) != 5:
    sys.exit("usage: tests/results.py JUNIT STAGE FAILURES SKIPS")
main(*sys.argv[1:])
