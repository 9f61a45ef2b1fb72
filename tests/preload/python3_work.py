"""Work for the preload test of python3: prints digests that any correct allocator leaves alone."""
import decimal
import glob
import hashlib
import json
import os
import queue
import random
import re
import sqlite3
import sys
import threading
import zlib

THREADS = 8
sys.setswitchinterval(0.0002)	# many switches: zlib and hashes give up the interpreter lock


def digest(data):
    return hashlib.sha256(data if isinstance(data, bytes) else data.encode()).hexdigest()[:16]


def json_work():
    rnd = random.Random(1)

    def record(i):
        return {"id": i, "name": "n%x" % rnd.getrandbits(60),
                "tags": [rnd.randrange(1000)] * (i % 7),
                "nested": {"k%d" % k: [rnd.random(), None, True] for k in range(i % 5)},
                "text": "\u00e9\u4e2d" * rnd.randrange(40)}

    data = [record(i) for i in range(20000)]
    text = json.dumps(data)
    again = json.loads(text)
    print("json", len(text), digest(text), again == data,
          digest(json.dumps(again, indent=1, sort_keys=True, ensure_ascii=False)))


def source_files():
    return sorted(glob.glob("/usr/lib/python3.*/*.py"))[:40]


def regex_work():
    token = re.compile(r"(?P<name>[A-Za-z_]\w*)|(?P<num>\d+(?:\.\d*)?)"
                       r"|(?P<str>\"[^\"\n]*\"|'[^'\n]*')|(?P<op>[-+*/%=<>!&|^~]+)")
    for path in source_files():
        with open(path, encoding="utf-8") as f:
            text = f.read()
        count = {}
        for m in token.finditer(text):
            count[m.lastgroup] = count.get(m.lastgroup, 0) + 1
        words = sorted(set(re.split(r"\W+", text)))
        swapped = re.sub(r"(\w+)\s*=\s*(\w+)", r"\2 = \1", text)
        print("regex", os.path.basename(path), sorted(count.items()), digest(" ".join(words)),
              digest(swapped))


def churn(seed):
    """Strings, bytes and dicts of all sizes, grown, shrunk and dropped in random order."""
    rnd = random.Random(seed)
    live, total = {}, 0
    for i in range(20000):
        size = int(2 ** rnd.uniform(0, 17)) if i % 50 == 0 else rnd.randrange(600)
        live[rnd.randrange(2000)] = bytearray(b"%d" % i) * (size // 8 + 1)
        victim = live.pop(rnd.randrange(2000), None)
        if victim is not None:
            victim += b"x" * rnd.randrange(300)
            total = zlib.crc32(victim, total)
    for key in sorted(live):
        total = zlib.crc32(live[key], total)
    return total


def thread_work():
    """Each thread churns, compresses (outside the interpreter lock) and frees what others made."""
    results, box = {}, queue.Queue()

    def work(n):
        total = churn(n)
        data = bytes(random.Random(n).choices(range(64), k=500000))
        packed = zlib.compress(data, 6)
        box.put([packed[i:i + 100] for i in range(0, len(packed), 100)])
        freed = sum(len(piece) for piece in box.get())
        results[n] = (total, digest(packed), freed > 0, zlib.decompress(packed) == data)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print("threads", sorted(results.items()))


def fork_work():
    """Children forked while other threads allocate must go on allocating."""
    stop = threading.Event()

    def noise():
        while not stop.is_set():
            [bytearray(n) for n in range(0, 5000, 37)]

    threads = [threading.Thread(target=noise) for _ in range(2)]
    for t in threads:
        t.start()
    for n in range(4):
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(w, b"%08x" % churn(100 + n))
            os._exit(0)
        os.close(w)
        print("fork", n, os.read(r, 100), os.waitpid(pid, 0)[1])
        os.close(r)
    stop.set()
    for t in threads:
        t.join()


def library_work():
    decimal.getcontext().prec = 1000
    print("decimal", digest(str(decimal.Decimal(2).sqrt() * decimal.Decimal(3).ln())))
    db = sqlite3.connect(":memory:")
    db.execute("create table t(a integer primary key, b text)")
    db.executemany("insert into t values(?, ?)", ((i, "v" * (i % 300)) for i in range(20000)))
    print("sqlite", db.execute("select count(*), sum(length(b)), max(b) from t").fetchall()[0][:2])
    print("int", digest(hex(3 ** 40000 % 7 ** 9000)))


json_work()
regex_work()
thread_work()
fork_work()
library_work()
