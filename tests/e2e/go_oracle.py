#!/usr/bin/env python3
"""Compares what leakspy says of the goroutines of a program with what the program's runtime says of itself.

go_oracle.py compare REPORT.json STACKS.txt
    REPORT: of leakspy report --format json --threshold 0 --all. STACKS: pprof's goroutine profile (debug=2),
    runtime.Stack, or what a program prints when it gets SIGQUIT. Prints the differences; status 1: there are.

go_oracle.py run [OPTIONS] LEAKSPY -- PROGRAM [ARG...]
    Starts PROGRAM, has it stand still (SIGSTOP) in the midst of what it does, takes a report, lets it print all
    of its stacks (SIGQUIT, which ends it), and compares. A few goroutines get on between the two: a difference
    counts when it is still there in the last of several attempts, at other moments.
    --after SECONDS: how long it runs first (0.5; less once it had ended by then). --ready TEXT: until its stdout
    says TEXT.
    --attempts N (5). --least N: how many goroutines have to be equal (1). --cwd FOLDER. --hold-stdin: keeps its
    stdin open. --env NAME=VALUE. --core: by a core of gcore instead of the process.
    --functions: every frame of the report has to have its function, file and line.
    Prints one line: how many goroutines and frames were the same.

    --ask: instead of SIGQUIT, a line "stacks" on its stdin has it print the profile up to a line "end of stacks".

pprof leaves out what only Go's runtime is interested in (runtime.showframe): frames of the runtime that are not
exported, wrappers that the compiler made, and the runtime's own goroutines. So they are left out of the report
too before the comparison. SIGQUIT shows all of it, and all of it is compared. Each goroutine has to be there by
its id, with its wait reason, the functions, files and lines of every frame, inlined calls too, and where it was
created by whom.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

HEAD = re.compile(r"^goroutine (\d+) (?:gp=\S+ m=\S+ (?:mp=\S+ )?)?\[(.*)\](?: \{.*\})?:$")
ELIDED = re.compile(r"^\.\.\.(?:additional|\d+) frames elided\.\.\.$")
PLACE = re.compile(r"^\t(.*):(\d+)(?: \+0x[0-9a-f]+)?(?: fp=0x\S+ sp=0x\S+(?: pc=0x\S+)?)?$")
CREATED = re.compile(r"^created by (.*?)(?: in goroutine (\d+))?$")
# What the compiler makes for go and defer statements. Before Go 1.22 they were called like closures.
WRAPPER = re.compile(r"\.(?:gowrap|deferwrap)\d+$")
HELPER = re.compile(r"^runtime\.(?:deferCallSave|deferreturn|runOpenDeferFrame|call\d+)$")
OLD_WRAPPER = re.compile(r"\.func\d+(?:\.\d+)*$|\.·dwrap·\d+$")
# What Go's text adds to a wait reason.
STATE_EXTRAS = re.compile(r" \((?:scan|durable|leaked)\)")
LEAKED = " (leaked)"


# Go tells 100 frames with those that it does not show, and before 1.21 it does not always say that there are more.
MOST_FRAMES = 90


class Goroutine:
    def __init__(self, ident, state):
        self.id = ident
        self.state = state
        self.locked = False
        self.leaked = False
        self.frames = []  # (function, file, line), innermost first
        self.elided = None  # so many frames are before those that were left out
        self.cut = False
        self.created = None  # (function, file, line)
        self.creator = None


def function_of(call):
    """main.(*T).run(0x1, {0x2, 0x3}) -> main.(*T).run: the last bracket that is opened at depth 0."""
    if not call.endswith(")"):
        return call
    depth = 0
    for at in range(len(call) - 1, -1, -1):
        if call[at] == ")":
            depth += 1
        elif call[at] == "(":
            depth -= 1
            if depth == 0:
                return call[:at]
    return call


def parse_stacks(text):
    """All goroutines of a text, by id."""
    goroutines = {}
    current = None
    function = None
    created = False
    for line in text.splitlines():
        head = HEAD.match(line)
        if head:
            current = Goroutine(int(head.group(1)), "")
            parts = head.group(2).split(", ")
            current.state = STATE_EXTRAS.sub("", parts[0])
            current.leaked = LEAKED in parts[0]
            current.locked = "locked to thread" in parts[1:]
            goroutines.setdefault(current.id, current)
            function, created = None, False
            continue
        if current is None:
            continue
        if not line:
            current = None
            continue
        place = PLACE.match(line)
        if place and function is not None:
            frame = (function, place.group(1), int(place.group(2)))
            if created:
                current.created = frame
            else:
                current.frames.append(frame)
            function = None
            continue
        if ELIDED.match(line):
            current.elided = len(current.frames)
            continue
        if line.startswith("[originating from goroutine"):  # ancestors follow
            current = None
            continue
        made = CREATED.match(line)
        if made:
            function, created = made.group(1), True
            current.creator = int(made.group(2)) if made.group(2) else None
            continue
        function = function_of(line)
    return goroutines


def exported(name):
    """Of a name that begins with "runtime.": runtime.isExportedRuntime."""
    receiver, _, method = name[len("runtime."):].rpartition(".")
    if receiver.startswith("(*") and receiver.endswith(")"):
        receiver = receiver[2:-1]
    return method[:1].isupper() and (not receiver or receiver[:1].isupper())


def shown(frame, innermost):
    """Whether Go would show it: runtime.showfuncinfo."""
    name, file = frame.get("function") or "", frame.get("file") or ""
    if file == "<autogenerated>" or name.endswith("-fm") or WRAPPER.search(name):
        return False
    if name in ("runtime.gopanic", "panic") and not innermost:
        return True
    if name in ("runtime.runFinalizers", "runtime.runCleanups"):
        return True
    if "." not in name:
        return False
    return not name.startswith("runtime.") or exported(name)


def frames_of(group, everything):
    """Its wait stack: every frame, or those that Go shows."""
    frames = []
    for index, frame in enumerate(group["wait_stack"]):
        if everything or shown(frame, index == 0):
            name = frame["function"]
            frames.append(("panic" if name == "runtime.gopanic" else name, frame["file"], frame["line"]))
    return frames


def created_by(group, everything):
    """Where its tasks were created, if Go shows it."""
    for frame in group["spawn_stack"]:
        if not frame["inlined"]:
            if everything or shown(frame, False):
                first = group["spawn_stack"][0]
                return (frame["function"], first["file"], first["line"])
            break
    return None


def parse_report(report, whole):
    """All goroutines of a report, by id. Of those in `whole` every frame, of others those that Go shows."""
    goroutines = {}
    for group in report["groups"]:
        if group["kind"] != "goroutine":
            continue
        ways = [(frames_of(group, everything), created_by(group, everything)) for everything in (False, True)]
        for task in group["tasks"]:
            one = Goroutine(task["id"], STATE_EXTRAS.sub("", group["op"]))
            one.frames, one.created = ways[one.id in whole]
            one.cut = len(group["wait_stack"]) >= 100
            one.creator = task.get("spawner")
            one.locked = bool(task.get("locked_to_thread"))
            one.leaked = group["verdict"] == "leaked"
            goroutines[one.id] = one
    return goroutines


def show(frame):
    return "nothing" if frame is None else "%s %s:%s" % frame


def is_wrapper(frame):
    """Whether the compiler or the runtime put it between two others: leakspy does not tell of these, as pprof does
    not, but SIGQUIT's text does."""
    name, file = frame[0] or "", frame[1]
    return file == "<autogenerated>" or HELPER.search(name) or WRAPPER.search(name) or OLD_WRAPPER.search(name)


def without_wrappers(frames, others):
    """`frames` without the wrappers that only it has."""
    ret = []
    for frame in frames:
        at = len(ret)
        if (at < len(others) and others[at] == frame) or not is_wrapper(frame) or frame in others[at:]:
            ret.append(frame)
    return ret


def compare_frames(told, own):
    """The first difference of two stacks, in words; None: there is none."""
    if own.elided is None:
        mine, others = without_wrappers(told.frames, own.frames), without_wrappers(own.frames, told.frames)
        pairs = list(zip(mine, others))
        longest = len(others) >= MOST_FRAMES and len(mine) > len(others)
        fits = len(mine) == len(others) or longest or (told.cut and len(mine) < len(others))
    else:
        tail = own.frames[own.elided:]
        pairs = list(zip(told.frames, own.frames[:own.elided]))
        if tail and not told.cut:
            pairs += list(zip(told.frames[-len(tail):], tail))
        fits = told.cut or len(told.frames) >= len(own.frames)
    for index, (one, other) in enumerate(pairs):
        if one != other:
            return "frame %d is %s, Go: %s" % (index, show(one), show(other))
    if not fits:
        longer = max(told.frames, own.frames, key=len)
        return "%d frames, Go: %d; one has %s" % (len(told.frames), len(own.frames), show(longer[len(pairs)]))
    return None


class Comparison:
    def __init__(self):
        self.equal = 0
        self.frames = 0
        self.differences = []


RUNNING = ("running", "runnable", "idle", "copystack", "dead", "???")


def told_whole(own):
    """Of which goroutines Go told every frame. With GOTRACEBACK=system that is all; else it is the one on whose thread
    the signal came, in a system call or between two instructions. Where the end of its stack was left out it is not
    seen here, and counts as a difference."""
    if any(frame[0] == "runtime.gopark" for it in own.values() for frame in it.frames):
        return own.keys()
    return {it.id for it in own.values() if it.frames and it.frames[-1][0] == "runtime.goexit"}


def compare(report, text):
    own = parse_stacks(text)
    told = parse_report(report, told_whole(own))
    own.pop(0, None)  # not a goroutine, but the runtime's stack for signals and the like
    ret = Comparison()
    if any(group["tasks_omitted"] for group in report["groups"] if group["kind"] == "goroutine"):
        ret.differences.append("the report omits tasks")
    # The program goes on for a moment before it prints. Each processor takes numbers for 16 goroutines at a time.
    begun_since = max(told, default=0) - 16 * (os.cpu_count() or 1)
    for ident in sorted(own):
        it = own[ident]
        if ident not in told and ident > begun_since:
            continue
        if it.state in RUNNING or it.state.startswith("GC worker"):
            continue  # it moves, or it is the one that prints this; workers of the collector come and go
        if ident not in told:
            ret.differences.append("goroutine %d [%s] at %s is not in the report" % (ident, it.state,
                                   show(it.frames[0] if it.frames else None)))
            continue
        one = told[ident]
        said = "goroutine %d [%s] at %s: " % (ident, it.state, show(it.frames[0] if it.frames else None))
        found = compare_frames(one, it)
        if found:
            ret.differences.append(said + found)
        elif one.state != it.state:
            ret.differences.append(said + "its state is " + one.state)
        elif it.leaked and not one.leaked:  # leakspy knows of more
            ret.differences.append(said + "Go's collector found that it is leaked")
        elif one.created != it.created and ident != 1:
            ret.differences.append(said + "created by %s, Go: %s" % (show(one.created), show(it.created)))
        elif it.creator is not None and one.creator != it.creator:
            ret.differences.append(said + "created in goroutine %s, Go: %s" % (one.creator, it.creator))
        elif one.locked != it.locked:
            ret.differences.append(said + ("locked to its thread" if one.locked else "not locked to its thread"))
        else:
            ret.equal += 1
            ret.frames += len(it.frames)
    for ident in sorted(set(told) - set(own)):
        one = told[ident]
        # The runtime's own are not told by Go, and they have nothing to show either.
        if one.frames and any(not frame[0].startswith("runtime.") for frame in one.frames):
            ret.differences.append("goroutine %d [%s] at %s: Go does not know it" %
                                   (ident, one.state, show(one.frames[0])))
    return ret


def nameless(report):
    """Frames of goroutines that lack something."""
    for group in report["groups"]:
        for frame in group["wait_stack"] + group["spawn_stack"] if group["kind"] == "goroutine" else []:
            if not (frame["function"] and frame["file"] and frame["line"]):
                yield "a frame at %s is %s %s:%s" % (frame["pc"], frame["function"], frame["file"], frame["line"])


def take_report(leakspy, pid, folder, core):
    source = str(pid)
    if core:
        subprocess.run(["gcore", "-o", folder + "/core", source], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       check=True, timeout=120)
        source = "%s/core.%d" % (folder, pid)
    done = subprocess.run([leakspy, "report", "--format", "json", "--threshold", "0", "--all", "--max-tasks", "1000000",
                           source],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    if done.returncode != 0:
        raise RuntimeError("leakspy report: status %d: %s" % (done.returncode, done.stderr.decode(errors="replace")))
    return json.loads(done.stdout)


def stands_still(pid):
    """Waits until every thread is stopped. False: it has ended."""
    while True:
        states = set()
        for tid in os.listdir("/proc/%d/task" % pid):
            try:
                with open("/proc/%d/task/%s/stat" % (pid, tid)) as stat:
                    states.add(stat.read().rsplit(")", 1)[1].split()[0])
            except OSError:
                pass
        if states == {"T"}:
            return True
        if states <= {"Z", "X"}:
            return False
        time.sleep(0.001)


def attempt(options, program, after):
    """One run of the program to its end: the comparison, or None if it had already ended."""
    environment = dict(os.environ, GOTRACEBACK="all")
    environment.update(word.split("=", 1) for word in options.env)
    with tempfile.TemporaryDirectory(prefix="leakspy-oracle.") as folder:
        with open(folder + "/stdout", "w+b") as out, open(folder + "/stderr", "w+b") as err:
            process = subprocess.Popen(program, cwd=options.cwd or folder, env=environment, stdout=out, stderr=err,
                                       stdin=subprocess.PIPE if options.hold_stdin or options.ask else subprocess.DEVNULL,
                                       start_new_session=True)
            try:
                end = time.monotonic() + 60
                while options.ready and time.monotonic() < end and process.poll() is None:
                    with open(folder + "/stdout", "rb") as said:
                        if options.ready.encode() in said.read():
                            break
                    time.sleep(0.01)
                time.sleep(after)
                if process.poll() is not None:
                    return None
                process.send_signal(signal.SIGSTOP)
                if not stands_still(process.pid):
                    return None
                report = take_report(options.leakspy, process.pid, folder, options.core)
                if options.ask:
                    process.stdin.write(b"stacks\n")
                    process.stdin.close()
                else:
                    process.send_signal(signal.SIGQUIT)
                process.send_signal(signal.SIGCONT)
                process.wait(timeout=60)
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                process.wait()
                if process.stdin:
                    process.stdin.close()
        with open(folder + ("/stdout" if options.ask else "/stderr"), errors="replace") as said:
            text = said.read()
    if options.keep:
        with open(options.keep + ".json", "w") as to:
            json.dump(report, to, indent=1)
        with open(options.keep + ".txt", "w") as to:
            to.write(text)
    if ("end of stacks" if options.ask else "SIGQUIT") not in text:
        return None
    ret = compare(report, text)
    if options.functions:
        ret.differences += nameless(report)
    return ret


def run(options):
    program = options.program[1:] if options.program[:1] == ["--"] else options.program
    program[0] = os.path.abspath(program[0])
    last = None
    after = options.after
    for number in range(options.attempts):
        got = attempt(options, program, after)
        if got is None:
            after *= 0.5
            continue
        after *= 1.37
        last = got
        if not got.differences and got.equal >= options.least:
            print("%d goroutines, %d frames: the same%s" %
                  (got.equal, got.frames, " (attempt %d)" % (number + 1) if number else ""))
            return 0
    if last is None:
        print("it always ended before it could be looked at")
        return 1
    for difference in last.differences[:options.differences]:
        print("  " + difference)
    print("%d goroutines are the same, %d differ" % (last.equal, len(last.differences)))
    return 1


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    two = commands.add_parser("compare")
    two.add_argument("report")
    two.add_argument("stacks")
    one = commands.add_parser("run")
    one.add_argument("--after", type=float, default=0.5)
    one.add_argument("--ready")
    one.add_argument("--attempts", type=int, default=5)
    one.add_argument("--least", type=int, default=1)
    one.add_argument("--differences", type=int, default=20)
    one.add_argument("--cwd")
    one.add_argument("--hold-stdin", action="store_true")
    one.add_argument("--functions", action="store_true")
    one.add_argument("--ask", action="store_true")
    one.add_argument("--core", action="store_true")
    one.add_argument("--keep", help="keep the last report and text as KEEP.json and KEEP.txt")
    one.add_argument("--env", action="append", default=[])
    one.add_argument("leakspy")
    one.add_argument("program", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.command == "run":
        return run(options)
    with open(options.report) as report, open(options.stacks, errors="replace") as stacks:
        got = compare(json.load(report), stacks.read())
    for difference in got.differences:
        print(difference)
    print("%d goroutines, %d frames are the same, %d goroutines differ" %
          (got.equal, got.frames, len(got.differences)))
    return 1 if got.differences or not got.equal else 0


if __name__ == "__main__":
    sys.exit(main())
