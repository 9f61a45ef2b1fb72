"""The allocators that are compared: stitchmalloc, those of Debian's packages, and the user's."""
import os
import re
import subprocess

LIBRARIES = "/usr/lib/x86_64-linux-gnu"
OURS, BASELINE = "stitchmalloc", "jemalloc"
# Name, library, Debian package. `libc` is what no preload gives.
PEERS = [
    ("jemalloc", f"{LIBRARIES}/libjemalloc.so.2", "libjemalloc2"),
    ("mimalloc", f"{LIBRARIES}/libmimalloc.so.2", "libmimalloc2.0"),
    ("tcmalloc", f"{LIBRARIES}/libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
    ("tbbmalloc", f"{LIBRARIES}/libtbbmalloc_proxy.so.2", "libtbbmalloc2"),
    ("scudo", "/usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/"
              "libclang_rt.scudo_standalone-x86_64.so", "libclang-rt-14-dev"),
    ("glibc", "libc", "libc6"),
]


class Allocator:
    """What is preloaded, and what is known of it. version: what the library says of itself."""

    def __init__(self, name, path):
        self.name, self.path = name, path
        self.package = package_of(path)
        self.version = ""

    def preload(self):
        """What LD_PRELOAD is, or None."""
        return None if self.path == "libc" else self.path

    def description(self):
        return {"name": self.name, "path": self.path, "version": self.version,
                "package": self.package}


def package_of(path):
    """'libjemalloc2 5.3.0-1', or nothing: the user's own."""
    if path == "libc":
        path = f"{LIBRARIES}/libc.so.6"
    for name in (path, os.path.realpath(path)):
        owner = subprocess.run(["dpkg-query", "-S", name], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True, check=False)
        if owner.returncode == 0:
            package = owner.stdout.rpartition(": ")[0]
            return subprocess.run(["dpkg-query", "-W", package], stdout=subprocess.PIPE,
                                  text=True, check=False).stdout.strip().replace("\t", " ")
    return ""


def find_allocators(build, own_peers, chosen):
    """Those that are here, ours first and the baseline second, and what is left out and why."""
    wanted = [(OURS, f"{build}/libstitchmalloc.so", None)] + PEERS
    if chosen:
        wanted = [peer for peer in wanted if peer[0] in chosen]
    wanted += [(*text.partition("=")[::2], None) for text in own_peers]
    found, left_out = [], []
    for name, path, package in wanted:
        if path == "libc" or os.path.isfile(path):
            found.append(Allocator(name, path if path == "libc" else os.path.realpath(path)))
        else:
            left_out.append({"what": name, "why": f"no {path}: apt-get install {package}"})
    return found, left_out


def check_peer(text):
    """Why NAME=PATH will not do, or None."""
    name, equals, path = text.partition("=")
    if not re.fullmatch(r"[\w.+-]+", name) or not equals:
        return "NAME=PATH is needed, the name of letters, digits and ._+-"
    if name in [OURS] + [peer[0] for peer in PEERS]:
        return f"{name} is the name of one that is compared anyway"
    if not os.path.isfile(path):
        return f"no library {path}"
    if re.search("[: ]", os.path.realpath(path)):
        return "LD_PRELOAD cannot hold a colon or a space"
    return None
