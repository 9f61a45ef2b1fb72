# What allocators.sh runs: the allocator of a library beside the one of the process.
#   allocators_work.py LIBRARY MODE
# MODE: how it is opened (local, global, deep), or `linked`: it is in the process already, behind
# the allocator in charge, which hands its blocks on. Prints what is the same under every allocator.
import ctypes
import faulthandler
import os
import sys
import threading

library, mode = sys.argv[1:]
faulthandler.dump_traceback_later(60, exit=True) # a heap that is ruined may hang
FLAGS = {
    "local": os.RTLD_NOW | os.RTLD_LOCAL,
    "global": os.RTLD_NOW | os.RTLD_GLOBAL,
    "deep": os.RTLD_NOW | os.RTLD_DEEPBIND,
    "linked": os.RTLD_NOW | os.RTLD_NOLOAD,
}
SIZES = [1, 15, 16, 100, 1000, 4096, 10000, 100000, 3 << 20]


def allocator(handle):
    handle.malloc.restype = handle.realloc.restype = ctypes.c_void_p
    handle.malloc.argtypes = [ctypes.c_size_t]
    handle.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    handle.free.argtypes = handle.malloc_usable_size.argtypes = [ctypes.c_void_p]
    handle.malloc_usable_size.restype = ctypes.c_size_t
    return handle


def work(source, sink):
    """Blocks of source, which sink resizes and frees."""
    checked = 0
    for size in SIZES:
        for byte in range(3):
            block = source.malloc(size)
            assert block and sink.malloc_usable_size(block) >= size, (library, mode, size)
            ctypes.memset(block, byte, size)
            block = sink.realloc(block, 2 * size + 1)
            assert block and ctypes.string_at(block, size) == bytes([byte]) * size
            sink.free(block)
            checked += size
    return checked


theirs = allocator(ctypes.CDLL(library, mode=FLAGS[mode]))
default = allocator(ctypes.CDLL(None))
pairs = [(theirs, theirs), (default, default)]
if mode == "linked":
    pairs.append((theirs, default))


def everything():
    for _ in range(3):
        for source, sink in pairs:
            results.append(work(source, sink))


results = []
threads = [threading.Thread(target=everything) for _ in range(4)]
for thread in threads:
    thread.start()
everything()
for thread in threads:
    thread.join()
child = os.fork()
if not child:
    everything()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0, "the child failed"
assert len(results) == 15 * len(pairs), "a thread failed"
print(library, mode, len(results), sum(results))
