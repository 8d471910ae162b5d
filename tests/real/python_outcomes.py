"""Runs tests of python3's own and writes what came of each to a file, in the order of their names.

Usage: python3 -I python_outcomes.py TEST FILE    (TEST as for python3 -m unittest)

What is printed meanwhile, by many processes, is theirs. The exit status is 0 when all are good.
"""
import sys
import unittest


class Outcomes(unittest.TestResult):
    def __init__(self, *args):
        super().__init__(*args)
        self.rows = []

    def addSuccess(self, test):
        self.rows.append(f"{test.id()} ok")

    def addSkip(self, test, reason):
        self.rows.append(f"{test.id()} skipped")

    def addExpectedFailure(self, test, err):
        self.rows.append(f"{test.id()} fails as expected")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.rows.append(f"{test.id()} is good unexpectedly")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.rows.append(f"{test.id()} FAILED")

    def addError(self, test, err):
        super().addError(test, err)
        self.rows.append(f"{test.id()} FAILED with an error")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.rows.append(f"{subtest.id()} FAILED")


if __name__ == "__main__":  # the children of multiprocessing read this file, too
    outcomes = Outcomes()
    unittest.defaultTestLoader.loadTestsFromName(sys.argv[1]).run(outcomes)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        print(*sorted(outcomes.rows), f"{outcomes.testsRun} tests", sep="\n", file=file)
    for test, trace in outcomes.failures + outcomes.errors:
        print(trace, file=sys.stderr)
    sys.exit(not outcomes.wasSuccessful())
