"""Python's three ways through the bus file: reads lines `WAY N`, answers nanoseconds."""
import sys
import time
import xml.parsers.expat
import xml.sax
from xml.etree.ElementTree import iterparse

path = sys.argv[1]
sink = open("/dev/null", "w")


def coroutine(func):
    def start(*args):
        generator = func(*args)
        next(generator)
        return generator
    return start


@coroutine
def buses_to_dicts(target):
    while True:
        event, value = yield
        if event == "start" and value[0] == "bus":
            bus = {}
            fragments = []
            while True:
                event, value = yield
                if event == "start":
                    fragments = []
                elif event == "text":
                    fragments.append(value)
                elif value != "bus":
                    bus[value] = "".join(fragments)
                else:
                    target.send(bus)
                    break


@coroutine
def filter_on_field(field, wanted, target):
    while True:
        bus = yield
        if bus.get(field) == wanted:
            target.send(bus)


@coroutine
def bus_locations():
    while True:
        bus = yield
        print('%(route)s,%(id)s,"%(direction)s",%(latitude)s,%(longitude)s' % bus, file=sink)


def pipeline():
    return buses_to_dicts(filter_on_field("route", "22", filter_on_field(
        "direction", "North Bound", bus_locations())))


class Handler(xml.sax.ContentHandler):
    def __init__(self, target):
        super().__init__()
        self.send = target.send

    def startElement(self, name, attrs):
        self.send(("start", (name, attrs)))

    def characters(self, content):
        self.send(("text", content))

    def endElement(self, name):
        self.send(("end", name))


def sax():
    xml.sax.parse(path, Handler(pipeline()))


def expat():
    parser = xml.parsers.expat.ParserCreate()
    parser.buffer_text = True
    send = pipeline().send
    parser.StartElementHandler = lambda name, attrs: send(("start", (name, attrs)))
    parser.EndElementHandler = lambda name: send(("end", name))
    parser.CharacterDataHandler = lambda text: send(("text", text))
    with open(path, "rb") as file:
        parser.ParseFile(file)


def iterate():
    target = filter_on_field("route", "22", filter_on_field(
        "direction", "North Bound", bus_locations()))
    for _, element in iterparse(path, ("end",)):
        if element.tag == "bus":
            target.send({child.tag: child.text for child in element})
            element.clear()


ways = {"sax": sax, "expat": expat, "iterparse": iterate, "hello": lambda: None}
for line in sys.stdin:
    way, n = line.split()
    begin = time.perf_counter_ns()
    for _ in range(int(n)):
        ways[way]()
    print(time.perf_counter_ns() - begin, flush=True)
