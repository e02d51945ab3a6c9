/*
 * The bus pipeline of the course: expat finds the elements of a large file, and somebody looks for
 * the buses of route 22 that go north. Once in the callbacks themselves, and once in a pipeline of
 * coroutines into which the callbacks push their events:
 *
 *     expat -> buses_to_dicts -> filter (route) -> filter (direction) -> bus_locations
 *
 * A third time with a thread between the first two. What a stage does with its data is the same
 * code for all, so that the difference is the price of the coroutines. Argument: a file to be
 * written and read; BENCH_PYTHON_XML: the program for Python's three ways. Also the course's little
 * race: a grep that is a coroutine against one that is an object with a method.
 */
#include <expat.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "generator.h"

enum { MEGABYTES = 30, PIECE = 65536, SLICE = 8 * PIECE, QUEUE = 64, FIELD = 32 };
enum { ID, ROUTE, DIRECTION, LATITUDE, LONGITUDE, FIELDS };
static const char *const names[FIELDS] = {"id", "route", "direction", "latitude", "longitude"};

static const char *path;
static char *document;
static size_t document_size;
static FILE *sink;
static long found; /* what every way must agree on */

/* --- the file ------------------------------------------------------------------------------- */

static void write_document(void)
{
    static const char *const directions[] = {"North Bound", "South Bound", "East Bound",
                                             "West Bound"};
    FILE *file = fopen(path, "w");
    unsigned seed = 1;
    MUST(file != NULL);
    fputs("<?xml version=\"1.0\"?>\n<buses>\n", file);
    for (int i = 0; ftell(file) < (long)MEGABYTES << 20; i++) {
        seed = seed * 1103515245 + 12345;
        fprintf(file,
                "  <bus>\n    <id>%d</id>\n    <route>%u</route>\n    <color>#3300ff</color>\n"
                "    <revenue>true</revenue>\n    <direction>%s</direction>\n"
                "    <latitude>41.%06u</latitude>\n    <longitude>-87.%06u</longitude>\n"
                "    <pattern>%u</pattern>\n    <run>P%03u</run>\n    <finish>Howard</finish>\n"
                "    <operator>%u</operator>\n  </bus>\n",
                i, 1 + (seed >> 8) % 150, directions[(seed >> 16) % 4], seed % 1000000,
                (seed >> 4) % 1000000, seed % 9973, seed % 997, seed % 50021);
    }
    fputs("</buses>\n", file);
    MUST(fclose(file) == 0);
}

static void read_document(void)
{
    FILE *file = fopen(path, "r");
    MUST(file != NULL && fseek(file, 0, SEEK_END) == 0);
    document_size = (size_t)ftell(file);
    rewind(file);
    document = malloc(document_size);
    MUST(document != NULL && fread(document, 1, document_size, file) == document_size);
    fclose(file);
}

/* In pieces, as from a file, but without the file: that would be the same for all. */
static void parse_slice(XML_Parser parser, const char *bytes, size_t from, size_t size)
{
    size_t end = document_size - from < size ? document_size : from + size;
    for (size_t at = from; at < end; at += PIECE) {
        size_t n = end - at < PIECE ? end - at : PIECE;
        MUST(XML_Parse(parser, bytes + at, (int)n, at + n == document_size) == XML_STATUS_OK);
    }
}

static void parse(XML_Parser parser)
{
    parse_slice(parser, document, 0, document_size);
    XML_ParserFree(parser);
}

/* --- what all do ---------------------------------------------------------------------------- */

struct bus {
    char field[FIELDS][FIELD];
    char text[FIELD]; /* of the element that is open */
    size_t length;
};

static void add_text(struct bus *bus, const char *text, size_t n)
{
    if (n >= FIELD - bus->length)
        n = FIELD - 1 - bus->length;
    memcpy(bus->text + bus->length, text, n);
    bus->length += n;
}

static void end_field(struct bus *bus, const char *name)
{
    bus->text[bus->length] = '\0';
    for (int i = 0; i < FIELDS; i++)
        if (strcmp(name, names[i]) == 0)
            memcpy(bus->field[i], bus->text, FIELD);
}

static void print_location(const struct bus *bus)
{
    fprintf(sink, "%s,%s,\"%s\",%s,%s\n", bus->field[ROUTE], bus->field[ID], bus->field[DIRECTION],
            bus->field[LATITUDE], bus->field[LONGITUDE]);
    found++;
}

/* --- callbacks ------------------------------------------------------------------------------ */

struct reader {
    struct bus bus;
    bool inside;
};

static void raw_start(void *arg, const char *name, const char **attributes)
{
    struct reader *r = arg;
    (void)attributes;
    if (!r->inside && strcmp(name, "bus") == 0)
        r->inside = true;
    r->bus.length = 0;
}

static void raw_text(void *arg, const char *text, int n)
{
    struct reader *r = arg;
    if (r->inside)
        add_text(&r->bus, text, (size_t)n);
}

static void raw_end(void *arg, const char *name)
{
    struct reader *r = arg;
    if (!r->inside)
        return;
    if (strcmp(name, "bus") != 0) {
        end_field(&r->bus, name);
    } else {
        r->inside = false;
        if (strcmp(r->bus.field[ROUTE], "22") == 0 &&
            strcmp(r->bus.field[DIRECTION], "North Bound") == 0)
            print_location(&r->bus);
    }
}

static XML_Parser open_callbacks(struct reader *reader)
{
    XML_Parser parser = XML_ParserCreate(NULL);
    *reader = (struct reader){.inside = false};
    XML_SetUserData(parser, reader);
    XML_SetElementHandler(parser, raw_start, raw_end);
    XML_SetCharacterDataHandler(parser, raw_text);
    return parser;
}

/* --- coroutines ----------------------------------------------------------------------------- */

/* An event is a value of its own type: the name of an element, or a text. */
static const struct value_type start_event = {"start", NULL}, end_event = {"end", NULL},
                               text_event = {"text", NULL};

struct text {
    const char *bytes;
    size_t length;
};

/* A switch between two functions costs the processor its guess where they return to: twenty cycles.
   With the library's functions inside the stages there is nothing to return from. */
#define STAGE __attribute__((flatten))

static void push_value(struct generator *target, value v)
{
    MUST(gen_send(target, v, NULL) == GEN_NEXT);
}

static void push(struct generator *target, void *item)
{
    push_value(target, value_ptr(item));
}

static STAGE void on_start(void *target, const char *name, const char **attributes)
{
    (void)attributes;
    push_value(target, (value){&start_event, {.string = name}});
}

static STAGE void on_text(void *target, const char *text, int n)
{
    struct text all = {text, (size_t)n};
    push_value(target, (value){&text_event, {.pointer = &all}});
}

static STAGE void on_end(void *target, const char *name)
{
    push_value(target, (value){&end_event, {.string = name}});
}

/* The next item; the error that ends the stage. */
static int receive(void *item)
{
    value in;
    int error = gen_yield(value_none(), &in);
    *(void **)item = error ? NULL : in.as.pointer;
    return error;
}

static STAGE int buses_to_dicts(void *target, value *ret)
{
    struct bus bus;
    value event;
    int error;
    (void)ret;
    while ((error = gen_yield(value_none(), &event)) == 0) {
        if (!value_is(event, &start_event) || strcmp(event.as.string, "bus") != 0)
            continue;
        bus.length = 0;
        while ((error = gen_yield(value_none(), &event)) == 0) {
            const struct text *text = event.as.pointer;
            if (value_is(event, &start_event))
                bus.length = 0;
            else if (value_is(event, &text_event))
                add_text(&bus, text->bytes, text->length);
            else if (strcmp(event.as.string, "bus") != 0)
                end_field(&bus, event.as.string);
            else
                break;
        }
        if (error)
            break;
        push(target, &bus);
    }
    return error;
}

struct filter {
    int field;
    const char *wanted;
    struct generator *target;
};

static STAGE int filter_on_field(void *arg, value *ret)
{
    const struct filter *filter = arg;
    struct bus *bus;
    int error;
    (void)ret;
    while ((error = receive(&bus)) == 0)
        if (strcmp(bus->field[filter->field], filter->wanted) == 0)
            push(filter->target, bus);
    return error;
}

static STAGE int bus_locations(void *arg, value *ret)
{
    struct bus *bus;
    int error;
    (void)arg, (void)ret;
    while ((error = receive(&bus)) == 0)
        print_location(bus);
    return error;
}

/* A thread between two stages: a queue of copies, and at its other end somebody who sends. */
struct threaded {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    struct bus queue[QUEUE];
    size_t in, out; /* how many came and went */
    bool ended;
    struct generator *target, **behind; /* whom the thread drives, and all that belong to it */
    int stages;
};

static cpu_set_t all_processors;

static void *run_thread(void *arg)
{
    struct threaded *t = arg;
    sched_setaffinity(0, sizeof all_processors, &all_processors);
    for (int i = 0; i < t->stages; i++)
        MUST(gen_adopt(t->behind[i]) == 0);
    pthread_mutex_lock(&t->lock);
    for (;;) {
        while (t->in == t->out && !t->ended)
            pthread_cond_wait(&t->changed, &t->lock);
        if (t->in == t->out)
            break;
        struct bus *bus = &t->queue[t->out % QUEUE]; /* ours until `out` says that it is free */
        pthread_mutex_unlock(&t->lock);
        push(t->target, bus);
        pthread_mutex_lock(&t->lock);
        if (t->in - t->out++ == QUEUE)
            pthread_cond_signal(&t->changed);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

static int threaded(void *arg, value *ret)
{
    struct threaded *t = arg;
    struct bus *bus;
    int error;
    (void)ret;
    while ((error = receive(&bus)) == 0) {
        pthread_mutex_lock(&t->lock);
        while (t->in - t->out == QUEUE)
            pthread_cond_wait(&t->changed, &t->lock);
        t->queue[t->in % QUEUE] = *bus;
        if (t->in++ == t->out)
            pthread_cond_signal(&t->changed);
        pthread_mutex_unlock(&t->lock);
    }
    pthread_mutex_lock(&t->lock);
    t->ended = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    return error;
}

struct pipeline {
    struct generator *stages[5]; /* from the source to the sink */
    struct filter north, route;
    struct threaded thread;
};

static XML_Parser open_pipeline(struct pipeline *p, bool with_thread)
{
    struct generator **stages = p->stages, *head;
    *p = (struct pipeline){.north = {DIRECTION, "North Bound", NULL}, .route = {ROUTE, "22", NULL}};
    MUST(gen_new_primed(bus_locations, NULL, &stages[4]) == GEN_NEXT);
    p->north.target = stages[4];
    MUST(gen_new_primed(filter_on_field, &p->north, &stages[3]) == GEN_NEXT);
    p->route.target = stages[3];
    MUST(gen_new_primed(filter_on_field, &p->route, &stages[2]) == GEN_NEXT);
    head = stages[2];
    if (with_thread) {
        p->thread = (struct threaded){.target = head, .behind = stages + 2, .stages = 3};
        pthread_mutex_init(&p->thread.lock, NULL);
        pthread_cond_init(&p->thread.changed, NULL);
        MUST(gen_new_primed(threaded, &p->thread, &stages[1]) == GEN_NEXT);
        MUST(pthread_create(&p->thread.thread, NULL, run_thread, &p->thread) == 0);
        head = stages[1];
    }
    MUST(gen_new_primed(buses_to_dicts, head, &stages[0]) == GEN_NEXT);
    XML_Parser parser = XML_ParserCreate(NULL);
    XML_SetUserData(parser, stages[0]);
    XML_SetElementHandler(parser, on_start, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    return parser;
}

static void close_pipeline(struct pipeline *p)
{
    for (int i = 0; i < 5; i++) {
        if (p->stages[i] == NULL)
            continue;
        MUST(gen_adopt(p->stages[i]) == 0);
        MUST(gen_close(p->stages[i], NULL) == 0);
        gen_free(p->stages[i]);
    }
}

static int64_t run_pipeline(long n, bool threads)
{
    static struct pipeline p;
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++) {
        parse(open_pipeline(&p, threads));
        close_pipeline(&p);
    }
    return bench_now() - begin;
}

static int64_t coroutines(long n)
{
    return run_pipeline(n, false);
}

static int64_t with_thread(long n)
{
    return run_pipeline(n, true);
}

/* --- a coroutine against an object ---------------------------------------------------------- */

static const char line[] = "python is nice";
static volatile long matches;

struct grep {
    void (*send)(struct grep *self, const char *text);
    const char *pattern;
    void (*target)(const char *text);
};

static void null_sink(const char *text)
{
    BENCH_USE(text);
    matches++;
}

static void grep_send(struct grep *self, const char *text)
{
    if (strstr(text, self->pattern) != NULL)
        self->target(text);
}

static int64_t grep_object(long n)
{
    struct grep *volatile where = &(struct grep){grep_send, "python", null_sink};
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++)
        where->send(where, line);
    return bench_now() - begin;
}

static STAGE int null_stage(void *arg, value *ret)
{
    const char *text;
    int error;
    (void)arg, (void)ret;
    while ((error = receive(&text)) == 0)
        null_sink(text);
    return error;
}

static STAGE int grep_stage(void *target, value *ret)
{
    char *text;
    int error;
    (void)ret;
    while ((error = receive(&text)) == 0)
        if (strstr(text, "python") != NULL)
            push(target, text);
    return error;
}

static int64_t grep_coroutine(long n)
{
    struct generator *sinks, *grep;
    MUST(gen_new_primed(null_stage, NULL, &sinks) == GEN_NEXT);
    MUST(gen_new_primed(grep_stage, sinks, &grep) == GEN_NEXT);
    int64_t begin = bench_now();
    for (long i = 0; i < n; i++)
        push(grep, (void *)(uintptr_t)line);
    int64_t ns = bench_now() - begin;
    gen_free(grep);
    gen_free(sinks);
    return ns;
}

/* --- the table ------------------------------------------------------------------------------ */

/* A slice of a parser's work, added to what it has taken so far. */
static void advance(double *spent, XML_Parser parser, const char *bytes, size_t at)
{
    int64_t begin = bench_now();
    parse_slice(parser, bytes, at, SLICE);
    *spent += (double)(bench_now() - begin);
}

/*
 * The whole file takes a third of a second, in which a machine may become slower by a tenth. So
 * these two take turns within it, each with a copy of its own: what one has read shall not be in
 * the cache for the other.
 */
static void against_callbacks(int rounds)
{
    static struct pipeline p;
    double a[BENCH_PAIRS] = {0}, b[BENCH_PAIRS] = {0};
    struct reader reader;
    char *copy = malloc(document_size);
    MUST(copy != NULL);
    memcpy(copy, document, document_size);
    for (int i = 0; i < rounds; i++) {
        XML_Parser ours = open_pipeline(&p, false), raw = open_callbacks(&reader);
        size_t turn = (size_t)i;
        for (size_t at = 0; at < document_size; at += SLICE, turn++) {
            if (turn % 2 != 0)
                advance(&b[i], raw, copy, at);
            advance(&a[i], ours, document, at);
            if (turn % 2 == 0)
                advance(&b[i], raw, copy, at);
        }
        close_pipeline(&p);
        XML_ParserFree(ours);
        XML_ParserFree(raw);
    }
    free(copy);
    bench_report("xml/expat", "ours", a, "expat", b, rounds);
}

static void contest(const char *name, struct side ours, struct side theirs, int rounds)
{
    double a[BENCH_PAIRS], b[BENCH_PAIRS];
    for (int i = 0; i < rounds; i++) {
        if (i % 2 != 0)
            b[i] = bench_once(theirs, 1);
        a[i] = bench_once(ours, 1);
        if (i % 2 == 0)
            b[i] = bench_once(theirs, 1);
    }
    bench_report(name, ours.label, a, theirs.label, b, rounds);
}

int main(int argc, char **argv)
{
    static const char *const ways[] = {"expat", "sax", "iterparse"};
    struct side ours = {"ours", coroutines, NULL, NULL, 0};
    const char *command = getenv("BENCH_PYTHON_XML");
    sched_getaffinity(0, sizeof all_processors, &all_processors);
    bench_begin();
    path = argc > 1 ? argv[1] : "allroutes.xml";
    sink = fopen("/dev/null", "w");
    MUST(sink != NULL);
    write_document();
    read_document();
    parse(open_callbacks(&(struct reader){.inside = false}));
    long expected = found;
    coroutines(1);
    with_thread(1);
    MUST(expected > 0 && found == 3 * expected);
    bench_compare("grep-coroutine/object", (struct side){"ours", grep_coroutine, NULL, NULL, 0},
                  (struct side){"object", grep_object, NULL, NULL, 0});
    int rounds = bench_quick() ? 11 : 51;
    against_callbacks(rounds);
    contest("xml-threaded/xml", (struct side){"ours", with_thread, NULL, NULL, 0},
            (struct side){"xml", coroutines, NULL, NULL, 0}, rounds);
    struct remote *python = command == NULL ? NULL : remote_open(command);
    for (int i = 0; i < 3; i++) {
        char name[40], label[20];
        snprintf(name, sizeof name, "xml/python-%s", ways[i]);
        snprintf(label, sizeof label, "python-%s", ways[i]);
        if (python == NULL)
            bench_skip(name, "apt install python3");
        else
            contest(name, ours, (struct side){label, NULL, python, ways[i], 0},
                    bench_quick() ? 2 : 5);
    }
    remote_close(python);
    remove(path);
    return 0;
}
