#!/usr/bin/python3
"""check_exports.py LIBRARY EXPORTS.MAP: fail when the library shows or needs more than it should.

Checked: the exported names are exactly those of the version script; libc.so.6 is the only
library needed, and of its functions only the ones below; at most 64 bytes of TLS (so that dlopen
works with the 512 bytes that all libraries share); no text relocations, no executable stack;
the flags NODELETE and BIND_NOW.
"""
import re
import subprocess
import sys

MAX_TLS = 64
# mem* and str*; thread keys, fork handlers and exit; the thread of background_thread=1; the lazy
# search for the next allocator and the C++ runtime; a sanitizer's malloc; where the kernel left the
# environment; malloc_info's FILE; the compiler's own.
IMPORTS = re.compile(r"mem\w+|str\w+|__(?:mem|str)\w+_chk|__errno_location|"
                     r"pthread_(?:key_create|key_delete|setspecific)|__register_atfork|"
                     r"pthread_(?:create|self|setname_np|setcancelstate)|"
                     r"pthread_attr_(?:init|destroy|set(?:detachstate|stacksize|sigmask_np))|"
                     r"__cxa_atexit|__cxa_finalize|dlsym|dlopen|dl_iterate_phdr|"
                     r"_ZSt15get_new_handlerv|_ZSt17__throw_bad_allocv|stitch_conf|"
                     r"__interceptor_\w+|"
                     r"environ|__environ|__libc_stack_end|getauxval|fwrite|"
                     r"_ITM_\w+|__gmon_start__|__stack_chk_fail")
# At exit, for a leak report: of preload/exit.c and lsan.c; of libgcc's unwinder, libbacktrace and
# the demangler, which are linked in (libbacktrace: open to snprintf).
REPORT_IMPORTS = re.compile(r"__cxa_at_quick_exit|exit|quick_exit|uname|"
                            r"gnu_get_libc_version|"
                            r"__lsan_default_suppressions|"
                            r"strerrordesc_np|sig(?:addset|emptyset|ismember|pending|timedwait)|"
                            r"sigabbrev_np|__libc_current_sigrt(?:min|max)|"
                            r"_dl_find_object|abort|pthread_mutex_(?:un)?lock|pthread_once|"
                            r"__pthread_key_create|"
                            r"open|close|fcntl|fstat|lstat|mmap|munmap|readlink|getpid|"
                            r"getpagesize|snprintf|__sprintf_chk")


def tool(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def listed_names(path):
    """The names of a version script, which may hold no wildcard but `local: *`."""
    with open(path, encoding="ascii") as script:
        text = re.sub(r"/\*.*?\*/|#[^\n]*", "", script.read(), flags=re.S)
    text = re.sub(r"local:\s*\*\s*;", "", text).replace("global:", "")
    return {name.strip() for body in re.findall(r"\{(.*?)\}", text, re.S)
            for name in body.split(";") if name.strip()}


def dynamic_symbols(library, which):
    """Names of the symbols that nm -D shows, without versions and version definitions."""
    rows = [line.split() for line in tool("nm", "-D", which, library).splitlines()]
    return {row[-1].split("@")[0] for row in rows if row[-2] != "A"}


def errors_of(library, script):
    exported, listed = dynamic_symbols(library, "--defined-only"), listed_names(script)
    yield from (f"{name} is exported and not in {script}" for name in sorted(exported - listed))
    yield from (f"{name} is in {script} and not exported" for name in sorted(listed - exported))
    for name in sorted(dynamic_symbols(library, "--undefined-only")):
        if not IMPORTS.fullmatch(name) and not REPORT_IMPORTS.fullmatch(name):
            yield f"{name} is imported: the library may not use that function of libc"
    dynamic = tool("readelf", "-dW", library)
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    if needed != ["libc.so.6"]:
        yield f"needs {needed}, not libc.so.6 alone"
    if "TEXTREL" in dynamic:
        yield "has text relocations"
    flags = " ".join(re.findall(r"\(FLAGS\S*\)(.*)", dynamic))
    yield from (f"flag {flag} is missing" for flag in ("NODELETE", "NOW") if flag not in flags)
    segments = tool("readelf", "-lW", library)
    tls = re.search(r"^\s+TLS(?:\s+0x\w+){4}\s+0x(\w+)", segments, re.M)
    if tls and int(tls[1], 16) > MAX_TLS:
        yield f"has {int(tls[1], 16)} bytes of thread-local storage, at most {MAX_TLS}"
    if re.search(r"GNU_STACK.*RWE", segments):
        yield "asks for an executable stack"


def main():
    errors = list(errors_of(*sys.argv[1:3]))
    print("\n".join(errors + [f"check_exports: {len(errors)} errors"]))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
