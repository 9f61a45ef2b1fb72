#!/usr/bin/python3
"""secure.py LIBRARY FOLDER: a privileged process takes no options from its environment.

A copy of a program that opens the library gets the set-user-ID bit of another user, which root
alone can give. With help=1 the library lists its options; a privileged process must say nothing.
"""
import os
import shutil
import subprocess
import sys
import tempfile

SECURE, NORMAL = 10, 20
NOBODY = 65534


def run(program, library):
    done = subprocess.run([program, library], env={"STITCH_CONF": "help=1,stats=1"},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    return done.returncode, done.stdout


def check(library, work, folder):
    copy = f"{folder}/work"
    ours = shutil.copy(library, folder)
    shutil.copy(work, copy)
    os.chmod(folder, 0o755)
    status, output = run(copy, ours)
    if status != NORMAL or b"on_error=" not in output:
        return f"an ordinary process: status {status}: {output[:300]}"
    if os.geteuid():
        print("secure: not root: no set-user-ID program can be made for another user")
        return None
    os.chown(copy, NOBODY, NOBODY)
    os.chmod(copy, 0o4755)
    status, output = run(copy, ours)
    if status == NORMAL:
        print("secure: set-user-ID has no effect here (nosuid or no_new_privs)")
        return None
    if status != SECURE or output:
        return f"a set-user-ID process: status {status}: {output[:300]}"
    return None


def main():
    library, programs = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        error = check(library, f"{programs}/hostile_secure_work", folder)
    print(f"secure: {error}" if error else "secure: passed")
    return 1 if error else 0


if __name__ == "__main__":
    sys.exit(main())
