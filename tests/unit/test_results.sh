#!/bin/bash
# What tests/results.py makes of a run of CTest: each case counts once, and what was skipped is said.
#
# Usage: test_results.sh RESULTS
set -eu
results=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cat >"$scratch/junit.xml" <<'END'
<testsuite>
  <testcase name="good" time="1" status="run"><system-out>
[       OK ] one
[       OK ] two
  </system-out></testcase>
  <testcase name="plain" time="1" status="run"><system-out>anything</system-out></testcase>
  <testcase name="partly" time="1" status="run"><system-out>
[       OK ] three
[  SKIPPED ] four
[  SKIPPED ] 1 test(s), listed below:
[  SKIPPED ] four
  </system-out></testcase>
  <testcase name="wholly" time="1" status="run"><system-out>
[  SKIPPED ] five
[  SKIPPED ] six
  </system-out></testcase>
  <testcase name="by_status" time="1" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/></testcase>
  <testcase name="bad" time="1" status="fail"><failure message="Failed"/><system-out>
[       OK ] seven
[  FAILED  ] eight
[  SKIPPED ] nine
  </system-out></testcase>
  <testcase name="lacking" time="1" status="notrun"><skipped message="Unable to find executable"/></testcase>
</testsuite>
END
cat >"$scratch/skips" <<'END'
skipped stage: partly four
skipped stage: wholly five six
skipped stage: by_status
skipped stage: bad nine
END
cat >"$scratch/failures" <<'END'
FAILED stage: bad eight
FAILED stage: lacking
END

"$results" "$scratch/junit.xml" stage "$scratch/failures.seen" "$scratch/skips.seen" >"$scratch/counts.seen"
echo "5 2 5" | diff - "$scratch/counts.seen"
diff "$scratch/skips" "$scratch/skips.seen"
grep ^FAILED "$scratch/failures.seen" | sed 's/ *$//' | diff "$scratch/failures" -
