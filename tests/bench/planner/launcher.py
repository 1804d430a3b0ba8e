"""Runs one command and prints what it used as JSON: wall and processor seconds, peak memory, exit code.

A process of its own, because Linux lets a new process inherit the peak memory of the one that started it:
this one is small. Source: getrusage(2), `ru_maxrss` is kept across execve.
"""

import json
import os
import sys
import time

if __name__ == "__main__":
    started = time.perf_counter()
    child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
    _, status, used = os.wait4(child, 0)
    found = {
        "wall_s": time.perf_counter() - started,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
        "exit_code": os.waitstatus_to_exitcode(status),
    }
    sys.stdout.write(json.dumps(found))
