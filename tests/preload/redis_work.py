"""Writes two files of commands for redis-cli --pipe: keys of every type, then changes to them."""
import random
import sys

rnd = random.Random(42)


def text(size):
    return "".join(rnd.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=max(1, size)))


def load(put):
    for i in range(20000):
        put("SET", "s%d" % i, text(int(2 ** rnd.uniform(0, 9))))
    for i in range(40):
        put("SET", "big%d" % i, text(1) * rnd.randrange(100000, 2000000))
    for i in range(3000):
        fields = 2 * rnd.randrange(1, 20)
        put("HSET", "h%d" % i, *[text(rnd.randrange(1, 90)) for _ in range(fields)])
        put("SADD", "set%d" % i, *[text(rnd.randrange(1, 30)) for _ in range(rnd.randrange(1, 20))])
        put("SADD", "ints%d" % i, *[rnd.randrange(10 ** 6) for _ in range(rnd.randrange(1, 50))])
        put("RPUSH", "l%d" % i, *[text(rnd.randrange(1, 200)) for _ in range(rnd.randrange(1, 20))])
        for _ in range(3):
            put("ZADD", "z%d" % (i % 700), rnd.random(), text(20))
        put("XADD", "x%d" % (i % 90), "%d-1" % (i + 1), "field", text(rnd.randrange(1, 300)))
        put("PFADD", "p%d" % (i % 40), *[text(8) for _ in range(10)])
        put("GEOADD", "g%d" % (i % 20), rnd.uniform(-170, 170), rnd.uniform(-80, 80), text(6))
    for i in range(20000):
        put("HSET", "hash", "f%d" % i, i)
        put("LPUSH", "list", "v%d" % i)


def change(put):
    for i in range(0, 20000, 3):
        put("APPEND", "s%d" % i, text(rnd.randrange(1, 400)))
    for i in range(1, 20000, 7):
        put("DEL", "s%d" % i)
    for i in range(0, 40, 2):
        put("SETRANGE", "big%d" % i, rnd.randrange(3000000), text(50))
    for i in range(3000):
        put("LTRIM", "l%d" % i, 0, rnd.randrange(9))
        put("HDEL", "hash", *["f%d" % rnd.randrange(20000) for _ in range(3)])
        put("COPY", "h%d" % i, "copy%d" % i)
    for i in range(0, 3000, 5):
        put("UNLINK", "set%d" % i, "ints%d" % (i + 1))
        put("SUNIONSTORE", "u%d" % i, "set%d" % (i + 1), "set%d" % (i + 2), "ints%d" % (i + 3))
    for i in range(0, 700, 2):
        put("ZUNIONSTORE", "zu%d" % i, 2, "z%d" % i, "z%d" % (i + 1))
    put("SORT", "list", "ALPHA", "LIMIT", 100, 2000, "STORE", "sorted")


def write(path, commands):
    with open(path, "w", encoding="ascii") as out:
        def put(*words):
            words = [str(w) for w in words]
            out.write("*%d\r\n" % len(words))
            out.write("".join("$%d\r\n%s\r\n" % (len(w), w) for w in words))
        commands(put)


write(sys.argv[1], load)
write(sys.argv[2], change)
