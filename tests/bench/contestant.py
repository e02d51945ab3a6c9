"""Python's part: reads lines `JOB N`, does the job N times, answers nanoseconds."""
import asyncio
import sys
import time

now = time.perf_counter_ns


def switch(n):
    def total():
        s = 0
        while True:
            s += yield s
    send = total().send
    send(None)
    begin = now()
    for i in range(n):
        send(i)
    return now() - begin


def create(n):
    def answer():
        return 1
        yield
    begin = now()
    for _ in range(n):
        next(answer(), None)
    return now() - begin


def timed(main, n):
    """Runs main(n), which answers nanoseconds, on a loop."""
    return asyncio.run(main(n))


def chain(n):
    async def main(n):
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        left = n

        def step():
            nonlocal left
            left -= 1
            if left > 0:
                loop.call_soon(step)
            else:
                done.set_result(None)
        begin = now()
        loop.call_soon(step)
        await done
        return now() - begin
    return timed(main, n)


def batch(n):
    async def main(n):
        loop = asyncio.get_running_loop()
        begin = now()
        for _ in range(n):
            loop.call_soon(int)
        await asyncio.sleep(0)
        return now() - begin
    return timed(main, n)


def timer_run(n):
    async def main(n):
        loop = asyncio.get_running_loop()
        start = loop.time()
        for i in range(n):
            loop.call_at(start - 1 - i * 7919 % n / n, int)
        begin = now()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return now() - begin
    return timed(main, n)


def pingpong(n):
    async def main(n):
        loop = asyncio.get_running_loop()
        ball = [loop.create_future(), loop.create_future()]

        async def player(me):
            for _ in range(n):
                v = await ball[me]
                ball[me] = loop.create_future()
                ball[1 - me].set_result(v)
        begin = now()
        ball[0].set_result(1)
        await asyncio.gather(player(0), player(1))
        return now() - begin
    return timed(main, n)


def spawn(n):
    async def child(i):
        return i

    async def main(n):
        begin = now()
        for i in range(n):
            await asyncio.create_task(child(i))
        return now() - begin
    return timed(main, n)


if sys.argv[1:] == ["uvloop"]:
    import uvloop
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

JOBS = {"switch": switch, "create": create, "chain": chain, "batch": batch,
        "timer-run": timer_run, "pingpong": pingpong, "spawn": spawn, "hello": lambda n: 0}
for line in sys.stdin:
    job, count = line.split()
    print(JOBS[job](int(count)), flush=True)
