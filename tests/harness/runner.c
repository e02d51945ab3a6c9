/*
 * Runs the checks and says what came out, to a student (--card), to a table (--results), or to a
 * script (--list).
 *
 * Check gives each check a process, a time limit and the cause of its death. What happened inside
 * is in the records, which lie in shared memory. A check has passed only if its record says that it
 * reached its end: a process that exits with 0 half-way would be a success to Check.
 */
#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "harness_impl.h"

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

/* How many times slower a sanitizer makes it; 0: there is none. */
#if defined(SANITIZE_ADDRESS)
#define SANITIZED 5
#elif defined(SANITIZE_THREAD)
#define SANITIZED 20 /* and signal handlers come late, or never */
#else
#define SANITIZED 0
#endif

enum { EXERCISES = 100, WIDTH = 80, CARD_LINES = 23, OUTPUT_MOST = 4 << 20 };

/*
 * How long a check may take, in seconds; the usual ones take a fiftieth of that. An endless loop is
 * noticed by the time that the processor spent on it, which does not grow when the machine is busy;
 * one that waits for ever spends none, and only the clock on the wall notices it. When one has hung
 * somebody waits for the card: the others get less, and after some hangs none is begun any more.
 */
static const double usual_wall = 3, usual_work = 1, impatient_wall = 1, impatient_work = 0.5;
enum { MOST_HANGS = 7, MOST_WAITS = 3, MOST_ALARMS = 30 };

enum verdict { PASSED, WRONG, CRASHED, HUNG, LEFT_EARLY, UNWRITTEN, NEEDS, SKIPS, MISSING };

static const char *const verdict_names[] = {"passed",    "failed",  "crashed", "hung",   "left",
                                            "unwritten", "not-run", "skipped", "missing"};

/* One check on one kind of fixture. */
struct item {
    const struct suite *suite;
    const struct check *check;
    const char *kind;
    struct record *record;
    TTest test;
    enum verdict verdict;
    char cause[200]; /* of a verdict that the record does not explain */
};

/* What the markers in the source say of an exercise. */
struct exercise {
    char id[12], title[100], file[200];
    int line;
    bool unwritten; /* its body is a stub */
};

static struct {
    int stage;
    const char *exercise, *check, *kind, *results;
    bool list, card, quiet, summary;
    unsigned seed;
} options;

static struct suite *suites;
static struct item *items;
static int item_count;
static struct exercise exercises[EXERCISES];
static int exercise_count;
static const char *program;
static int build_stage; /* the N of check_stageN */
static FILE *output;    /* what the checks print */

/* What the checks, each in its process, tell the next one. */
struct begun {
    int count, last;  /* how many have begun, and which of them was the last */
    int hangs, waits; /* that did not come to an end; that did nothing but wait */
};
static struct begun *begun; /* shared */

bool harness_is_sanitized(void)
{
    return SANITIZED;
}

bool harness_is_slow(void)
{
    return SANITIZED || RUNNING_ON_VALGRIND;
}

/* As snprintf; what does not fit is cut, and that is meant. */
static void put(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void put(char *text, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(text, size, format, args);
    va_end(args);
}

/* --- what there is -------------------------------------------------------------------------- */

/* Sorted by stage, then by name: the order of the link must not matter. */
void harness_add_suite(struct suite *suite)
{
    struct suite **at = &suites;
    while (*at != NULL && ((*at)->stage < suite->stage ||
                           ((*at)->stage == suite->stage && strcmp((*at)->name, suite->name) < 0)))
        at = &(*at)->next;
    suite->next = *at;
    *at = suite;
}

/* 1.2 before 1.10. */
static int compare_ids(const char *a, const char *b)
{
    char *rest_a, *rest_b;
    long difference = strtol(a, &rest_a, 10) - strtol(b, &rest_b, 10);
    if (difference == 0 && *rest_a == '.' && *rest_b == '.')
        difference = strtol(rest_a + 1, NULL, 10) - strtol(rest_b + 1, NULL, 10);
    return difference < 0 ? -1 : difference > 0;
}

static struct exercise *find_exercise(const char *id)
{
    for (int i = 0; i < exercise_count; i++)
        if (id != NULL && strcmp(exercises[i].id, id) == 0)
            return &exercises[i];
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    return compare_ids(((const struct exercise *)a)->id, ((const struct exercise *)b)->id);
}

/* Looks for the markers in one source file. */
static void scan_source(const char *path)
{
    char line[400];
    struct exercise *open = NULL;
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return;
    for (int n = 1; fgets(line, sizeof line, f) != NULL; n++) {
        char id[12], title[100];
        if (sscanf(line, " /* EXERCISE %11s %99[^*\n]", id, title) == 2 &&
            exercise_count < EXERCISES) {
            open = &exercises[exercise_count++];
            *open = (struct exercise){.line = n};
            size_t length = strlen(title);
            while (length > 0 && title[length - 1] == ' ')
                title[--length] = '\0';
            put(open->id, sizeof open->id, "%s", id);
            put(open->title, sizeof open->title, "%s", title);
            put(open->file, sizeof open->file, "%s", path);
        } else if (open != NULL && strstr(line, "exercise_unwritten(") != NULL) {
            open->unwritten = true;
        } else if (strstr(line, "/* END ") != NULL) {
            open = NULL;
        }
    }
    fclose(f);
}

static void scan_sources(void)
{
    glob_t found;
    if (glob("stage0*/*.c", 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            scan_source(found.gl_pathv[i]);
    globfree(&found);
    qsort(exercises, (size_t)exercise_count, sizeof *exercises, by_id);
}

/* --- choosing ------------------------------------------------------------------------------- */

static bool chosen(const struct suite *suite, const struct check *check, const char *kind)
{
    if (options.stage != 0 && suite->stage != options.stage)
        return false;
    if (options.exercise != NULL &&
        (check->exercise == NULL || strcmp(check->exercise, options.exercise) != 0))
        return false;
    if (options.kind != NULL && kind != NULL && strcmp(kind, options.kind) != 0)
        return false;
    return options.check == NULL || strcmp(check->name, options.check) == 0;
}

static void list(void)
{
    for (struct suite *s = suites; s != NULL; s = s->next)
        for (size_t i = 0; i < s->count; i++) {
            const struct check *c = &s->checks[i];
            if (chosen(s, c, NULL))
                printf("%d\t%s\t%s\t%s\t%s\t%s\n", s->stage, s->name, c->name, c->rows,
                       c->exercise == NULL ? "-" : c->exercise, c->needs);
        }
}

static void *shared(size_t size)
{
    void *p =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        fprintf(stderr, "%s: no memory\n", program);
        exit(2);
    }
    return p;
}

static int count_chosen(void)
{
    int n = 0;
    for (struct suite *s = suites; s != NULL; s = s->next)
        for (int k = 0; k == 0 || (s->on_fixture && fixture_kinds[k] != NULL); k++)
            for (size_t i = 0; i < s->count; i++)
                n += chosen(s, &s->checks[i], s->on_fixture ? fixture_kinds[k] : NULL);
    return n;
}

/* --- running one ---------------------------------------------------------------------------- */

static unsigned hash(const char *text)
{
    unsigned h = 2166136261u;
    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h;
}

static bool forks(void)
{
    const char *fork = getenv("CK_FORK");
    return fork == NULL || strcmp(fork, "no") != 0;
}

/* An exercise in a list of them that is a stub, or NULL. */
static const char *unwritten_among(const char *list)
{
    char id[12];
    int length;
    for (; sscanf(list, " %11s%n", id, &length) == 1; list += length) {
        const struct exercise *e = find_exercise(id);
        if (e != NULL && e->unwritten)
            return e->id;
    }
    return NULL;
}

/* Keeps what a check prints away from the card, and its amount in bounds. */
static void redirect(struct record *r)
{
    if (output == NULL || !forks())
        return;
    r->output = (long)lseek(fileno(output), 0, SEEK_END);
    dup2(fileno(output), STDOUT_FILENO);
    dup2(fileno(output), STDERR_FILENO);
    struct rlimit most = {.rlim_cur = (rlim_t)r->output + OUTPUT_MOST, .rlim_max = RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &most);
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* How many times slower than usual the checks run. */
static double slowness(void)
{
    return RUNNING_ON_VALGRIND ? 30 : SANITIZED ? SANITIZED : 1;
}

static void set_timer(int signal_number, double seconds)
{
    struct itimerval limit = {.it_value = {.tv_sec = (time_t)seconds}};
    limit.it_value.tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6);
    if (signal_number == SIGALRM)
        setitimer(ITIMER_REAL, &limit, NULL);
    else
        setitimer(ITIMER_PROF, &limit, NULL);
}

/* Of the check that runs in this process: how much work was seen at the last alarm, and when. */
static struct record *watched;
static double work_seen, alarm_span;
static int alarms;

/* The clock on the wall has rung. Who has worked meanwhile does not wait: the machine is busy. */
static void look_whether_it_waits(int signal_number)
{
    struct timespec t;
    int error = errno;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    double work = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
    if (work - work_seen > alarm_span * 0.05 && ++alarms < MOST_ALARMS) {
        work_seen = work;
        alarm_span = slowness();
        set_timer(SIGALRM, alarm_span);
    } else {
        watched->waited = true;
        signal(signal_number, SIG_DFL);
        kill(getpid(), signal_number);
    }
    errno = error;
}

/* Sets both clocks for a check. @return the least time after which one of them can have rung. */
static double limit_time(struct record *r, const struct check *c)
{
    struct sigaction on_alarm = {.sa_handler = look_whether_it_waits,
                                 .sa_flags = SA_ONSTACK | SA_RESTART};
    double wall = c->seconds != 0 ? c->seconds : usual_wall;
    double work = c->seconds != 0 ? c->seconds / 4.0 : usual_work;
    if (begun->hangs > 0 && c->seconds == 0) {
        wall = impatient_wall;
        work = impatient_work;
    }
    if (SANITIZED == 20)
        on_alarm.sa_handler = SIG_DFL;
    watched = r;
    alarm_span = wall * slowness();
    sigaction(SIGALRM, &on_alarm, NULL); /* Check's handler would kill without saying why */
    set_timer(SIGALRM, alarm_span);
    set_timer(SIGPROF, work * slowness());
    return work * slowness();
}

/* Whether a check of this exercise (NULL: of given code) did not come to an end: then its others
 * need not be tried. */
static bool one_has_hung(const char *exercise)
{
    for (int i = 0; i < item_count; i++) {
        const char *other = items[i].check->exercise;
        bool same = other == exercise ||
                    (other != NULL && exercise != NULL && strcmp(other, exercise) == 0);
        if (same && items[i].record->hung)
            return true;
    }
    return false;
}

/* The check before this one never came back: did it take all its time, or print without end? */
static void look_back(double now)
{
    struct record *last = items[begun->last].record;
    if (begun->count == 0 || last->progress != BEGUN)
        return;
    bool flooded = output != NULL && forks() &&
                   (long)lseek(fileno(output), 0, SEEK_END) - last->output > OUTPUT_MOST * 9L / 10;
    if (now - last->began < last->limit * 0.9 && !flooded)
        return;
    last->hung = true;
    begun->hangs++;
    begun->waits += last->waited;
}

/* What Check calls, in a process of its own: the i-th check. */
static void run_item(int i)
{
    struct item *item = &items[i];
    struct record *r = item->record;
    const char *needed = unwritten_among(item->check->needs);
    double start = seconds_now();
    look_back(start);
    r->order = ++begun->count;
    begun->last = i;
    r->began = start;
    redirect(r);
    if (forks() && begun->hangs > 0 &&
        (begun->hangs >= MOST_HANGS || begun->waits >= MOST_WAITS || item->check->seconds != 0 ||
         one_has_hung(item->check->exercise)))
        return; /* somebody waits for the card */
    const char *own = item->check->exercise == NULL ? NULL : unwritten_among(item->check->exercise);
    if (needed != NULL) {
        put(r->unwritten, sizeof r->unwritten, "%s", own != NULL ? own : needed);
        r->progress = NOT_RUN;
        return;
    }
    r->limit = forks() ? limit_time(r, item->check) : 0;
    r->progress = BEGUN;
    harness_begin(r, item->kind, options.seed ^ hash(item->check->name));
    item->check->fn();
    harness_end();
    r->seconds = seconds_now() - start;
}

/* --- running all ---------------------------------------------------------------------------- */

static Suite *make_suite(const struct suite *s, const char *kind, int *next)
{
    Suite *suite = suite_create(s->name);
    TCase *cases[EXERCISES];
    const char *names[EXERCISES];
    unsigned limits[EXERCISES];
    int n = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct check *c = &s->checks[i];
        const char *name = c->exercise == NULL ? "given" : c->exercise;
        int t = 0;
        if (!chosen(s, c, kind))
            continue;
        while (t < n && strcmp(names[t], name) != 0)
            t++;
        if (t == n) {
            names[n] = name;
            limits[n] = (unsigned)usual_wall;
            cases[n] = tcase_create(name);
            suite_add_tcase(suite, cases[n++]);
        }
        if (c->seconds > limits[t])
            limits[t] = c->seconds;
        tcase_set_timeout(cases[t], limits[t] + 2); /* for a check that took our clocks away */
        struct item *item = &items[*next];
        item->suite = s;
        item->check = c;
        item->kind = kind;
        item->verdict = MISSING;
        item->test = (TTest){c->name, run_item, c->file, c->line};
        _tcase_add_test(cases[t], &item->test, 0, 0, *next, *next + 1);
        ++*next;
    }
    return suite;
}

/* The signal that Check says has ended a process; 0: none. */
static int signal_in(const char *message)
{
    const char *said = strstr(message, "signal ");
    return said == NULL ? 0 : atoi(said + 7);
}

static void judge_item(struct item *item, TestResult *result)
{
    struct record *r = item->record;
    const char *message = tr_msg(result) == NULL ? "" : tr_msg(result);
    if (r->unwritten[0] == '\0' && (r->progress == BEGUN || r->progress == FAILED) &&
        find_exercise(r->stub) != NULL) /* it died, or a child of its met the stub */
        put(r->unwritten, sizeof r->unwritten, "%s", r->stub);
    bool own = item->check->exercise != NULL && (strcmp(r->unwritten, item->check->exercise) == 0 ||
                                                 unwritten_among(item->check->exercise) != NULL);
    if (r->progress == NOT_BEGUN) {
        item->verdict = HUNG;
        put(item->cause, sizeof item->cause, "not run: checks before it did not come to an end");
    } else if (r->unwritten[0] != '\0') {
        item->verdict = own ? UNWRITTEN : NEEDS;
    } else if (r->progress == SKIPPED) {
        item->verdict = SKIPS;
    } else if (r->progress == FAILED) {
        item->verdict = WRONG;
    } else if (signal_in(message) == SIGPROF) {
        item->verdict = HUNG;
        put(item->cause, sizeof item->cause,
            "it did not come to an end: an endless loop, it seems");
    } else if (signal_in(message) == SIGALRM || strstr(message, "timeout") != NULL) {
        item->verdict = HUNG;
        put(item->cause, sizeof item->cause,
            "it did not come to an end within its time: does it wait for ever?");
    } else if (signal_in(message) == SIGXFSZ) {
        item->verdict = HUNG;
        put(item->cause, sizeof item->cause,
            "it did not come to an end: it printed more than %d MiB", OUTPUT_MOST >> 20);
    } else if (signal_in(message) != 0) {
        item->verdict = CRASHED;
        put(item->cause, sizeof item->cause, "it crashed: %s", message);
    } else if (tr_rtype(result) != CK_PASS && r->progress == ENDED) {
        item->verdict = WRONG;
        put(item->cause, sizeof item->cause, "after its end: %s", message);
    } else if (r->progress != ENDED) {
        item->verdict = LEFT_EARLY;
        put(item->cause, sizeof item->cause, "the process ended before the check did%s%s",
            message[0] == '\0' || tr_rtype(result) == CK_PASS ? "" : ": ",
            tr_rtype(result) == CK_PASS ? "" : message);
    } else {
        item->verdict = PASSED;
    }
}

/* Results come in the order in which the checks began. */
static void judge_all(SRunner *runner)
{
    int n = srunner_ntests_run(runner);
    TestResult **results = srunner_results(runner);
    for (int i = 0; i < item_count; i++)
        if (items[i].record->order >= 1 && items[i].record->order <= n)
            judge_item(&items[i], results[items[i].record->order - 1]);
    free(results);
}

static void run(void)
{
    SRunner *runner = NULL;
    int next = 0;
    for (struct suite *s = suites; s != NULL; s = s->next)
        for (int k = 0; k == 0 || (s->on_fixture && fixture_kinds[k] != NULL); k++) {
            Suite *suite = make_suite(s, s->on_fixture ? fixture_kinds[k] : NULL, &next);
            if (runner == NULL)
                runner = srunner_create(suite);
            else
                srunner_add_suite(runner, suite);
        }
    if (runner == NULL)
        return;
    fflush(NULL);
    srunner_run_all(runner, CK_SILENT);
    judge_all(runner);
    srunner_free(runner);
}

/* --- saying it ------------------------------------------------------------------------------ */

/* The workbook adds a line or two of its own. While a part is measured, nothing is printed. */
static int lines_left = CARD_LINES;
static bool measuring;

static bool colours(void)
{
    const char *no = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0');
}

/* One line of at most WIDTH columns; a longer one is cut. UTF-8 bytes that go on count nothing. */
static void say(const char *colour, const char *format, ...)
{
    char text[2000];
    int columns = 0, i;
    va_list args;
    lines_left--;
    if (measuring)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (i = 0; text[i] != '\0'; i++) {
        if (text[i] == '\n' || text[i] == '\t')
            text[i] = ' ';
        if (((unsigned char)text[i] & 0xc0) != 0x80 && ++columns > WIDTH)
            break;
    }
    if (text[i] != '\0')
        while (columns > WIDTH - 3 && i > 0)
            columns -= ((unsigned char)text[--i] & 0xc0) != 0x80;
    bool cut = text[i] != '\0';
    text[i] = '\0';
    if (colour != NULL && colours())
        printf("\033[%sm%s%s\033[0m\n", colour, text, cut ? "..." : "");
    else
        printf("%s%s\n", text, cut ? "..." : "");
}

/* A labelled text that goes on in further lines, at most three. */
static void say_text(const char *label, const char *text)
{
    const int room = WIDTH - 12;
    for (int n = 0; n < 3 && (n == 0 || *text != '\0'); n++) {
        int length = (int)strlen(text);
        if (length > room && n < 2) {
            length = room;
            while (length > room / 2 && text[length] != ' ')
                length--;
            if (text[length] != ' ')
                length = room;
        }
        say(NULL, "  %-9s %.*s", n == 0 ? label : "", length, text);
        text += length;
        while (*text == ' ')
            text++;
    }
}

/* The last steps say most. */
static void say_steps(const struct record *r, int room)
{
    int most = room >= 8 ? 7 : room > 3 ? room - 1 : 2;
    int first = r->steps > most ? r->steps - most : 0;
    if (first > 0)
        say(NULL, "     ... %d steps before", first);
    for (int i = first; i < r->steps; i++)
        say(NULL, "  %2d. %s", i + 1, r->step[i % STEPS]);
}

/* The lines of the check's output that say most: what a sanitizer or die() said, else the last. */
static void say_output(const struct item *item)
{
    char text[64 * 1024], *line[3] = {NULL}, *rest;
    long end = -1;
    if (output == NULL || item->record->output < 0)
        return;
    for (int i = 0; i < item_count; i++)
        if (items[i].record->order == item->record->order + 1)
            end = items[i].record->output;
    if (end < 0)
        end = (long)lseek(fileno(output), 0, SEEK_END);
    long size = end - item->record->output;
    if (size > (long)sizeof text - 1)
        size = sizeof text - 1;
    ssize_t n = size <= 0 ? 0 : pread(fileno(output), text, (size_t)size, end - size);
    if (n <= 0)
        return;
    text[n] = '\0';
    for (char *l = strtok_r(text, "\n", &rest); l != NULL; l = strtok_r(NULL, "\n", &rest)) {
        if (strstr(l, "SUMMARY: ") != NULL || strncmp(l, "fatal: ", 7) == 0) {
            line[0] = line[1] = NULL;
            line[2] = l;
            break;
        }
        line[0] = line[1];
        line[1] = line[2];
        line[2] = l;
    }
    if (line[1] == NULL && line[2] != NULL)
        say_text("output:", line[2]);
    for (int i = 0; i < 3 && line[1] != NULL; i++)
        if (line[i] != NULL)
            say(NULL, "  %-9s %s", "output:", line[i]);
}

/* A command must not be cut: what does not fit goes on in the next line, as a shell understands it.
 * @p choice is the part that may be long, as "CHECK=name". */
static void say_command(const char *label, const char *verb, const char *choice, const char *more)
{
    const size_t room = WIDTH - 14; /* beside the label and before the backslash */
    size_t length = strlen(verb) + 1 + strlen(choice);
    if (length + strlen(more) <= WIDTH - 12) {
        say(NULL, "  %-9s %s %s%s", label, verb, choice, more);
    } else if (length <= room) {
        say(NULL, "  %-9s %s %s \\", label, verb, choice);
        say(NULL, "  %-9s  %s", "", more);
    } else {
        bool fits = strlen(choice) + strlen(more) <= WIDTH - 6;
        say(NULL, "  %-9s %s \\", label, verb);
        say(NULL, "      %s%s", choice, fits ? more : " \\");
        if (!fits)
            say(NULL, "     %s", more);
    }
}

static const char *directory_of_stage(int stage)
{
    static const char *const names[] = {
        "", "stage01_generators", "stage02_futures", "stage03_tasks", "stage04_loop", "stage05_io"};
    return stage >= 1 && stage <= 5 ? names[stage] : "";
}

static void say_after_steps(const struct item *item);

/* The message contract. */
static void say_failure(const struct item *item)
{
    const struct check *c = item->check;
    const struct record *r = item->record;
    const struct exercise *e = find_exercise(c->exercise);
    if (item->verdict == UNWRITTEN)
        say("1;33", "%s is not written yet: %s", c->exercise, e == NULL ? "" : e->title);
    else if (item->verdict == NEEDS)
        say("1;33", "%s: not run: needs %s", c->exercise == NULL ? item->suite->name : c->exercise,
            r->unwritten);
    else if (e != NULL)
        say("1;31", "FAILED %s %s", e->id, e->title);
    else if (c->exercise != NULL)
        say("1;31", "FAILED %s", c->exercise);
    else
        say("1;31", "FAILED: given code of stage %d (%s)", item->suite->stage, item->suite->name);
    say(NULL, "  %s%s%s%s%s%s", c->name, c->rows[0] == '\0' ? "" : "  [", c->rows,
        c->rows[0] == '\0' ? "" : "]", item->kind == NULL ? "" : "  on ",
        item->kind == NULL ? "" : item->kind);
    int left = lines_left;
    measuring = true;
    say_after_steps(item);
    measuring = false;
    int room = lines_left;
    lines_left = left;
    say_steps(r, room);
    say_after_steps(item);
}

static void say_after_steps(const struct item *item)
{
    const struct check *c = item->check;
    const struct record *r = item->record;
    const struct exercise *e = find_exercise(c->exercise);
    if (item->verdict == MISSING) {
        say_text("cause:", "it was not run at all; is CK_RUN_CASE or CK_RUN_SUITE set?");
    } else if (item->verdict == WRONG && r->want[0] != '\0') {
        say_text("expected:", r->want);
        say_text("got:", r->got);
    }
    if (r->reason[0] != '\0' && item->verdict == WRONG)
        say_text("cause:", r->reason);
    if (item->cause[0] != '\0')
        say_text("cause:", item->cause);
    if (item->verdict != UNWRITTEN)
        say_output(item);
    if (e != NULL)
        say(NULL, "  %-9s %s:%d", "exercise:", e->file, e->line);
    say(NULL, "  %-9s %s:%d", "check:", r->file[0] != '\0' ? r->file : c->file,
        r->file[0] != '\0' ? r->line : c->line);
    char more[100] = "";
    if (item->kind != NULL && fixture_kinds[1] != NULL)
        put(more, sizeof more, " FIXTURE=%s", item->kind);
    if (r->random)
        put(more + strlen(more), sizeof more - strlen(more), " SEED=%u", options.seed);
    const char *variant = getenv("VARIANT"); /* as given to make: "CC=clang SAN=address" */
    if (variant != NULL && variant[0] != '\0')
        put(more + strlen(more), sizeof more - strlen(more), " %s", variant);
    char verb[20], choice[200];
    put(verb, sizeof verb, "make stage%d", build_stage);
    put(choice, sizeof choice, "CHECK=%s", c->name);
    say_command("again:", verb, choice, more);
    if (item->suite->stage != build_stage) /* another stage runs it on another fixture */
        put(more + strlen(more), sizeof more - strlen(more), " STAGE=%d", build_stage);
    say_command("debug:", "make debug", choice, more);
    if (c->exercise != NULL)
        say(NULL, "  %-9s %s/README.md, exercise %s",
            "read:", directory_of_stage(item->suite->stage), c->exercise);
    else
        say(NULL, "  %-9s %s/README.md", "read:", directory_of_stage(item->suite->stage));
}

static bool is_failure(enum verdict v)
{
    return v != PASSED && v != SKIPS;
}

/* How an exercise stands: by the worst of its checks. */
enum standing { NO_CHECK, DONE, OPEN, WAITS };

static enum standing standing_of(const char *id, const char **needs)
{
    enum standing standing = NO_CHECK;
    for (int i = 0; i < item_count; i++) {
        const struct item *item = &items[i];
        if (item->check->exercise == NULL || strcmp(item->check->exercise, id) != 0)
            continue;
        if (item->record->progress == NOT_BEGUN) { /* after a hang: nobody knows */
            if (standing != OPEN)
                standing = WAITS;
        } else if (item->verdict == NEEDS) {
            if (standing != OPEN)
                standing = WAITS;
            *needs = item->record->unwritten;
        } else if (is_failure(item->verdict)) {
            standing = OPEN;
        } else if (standing == NO_CHECK) {
            standing = DONE;
        }
    }
    return standing;
}

/* All exercises of a stage that there are, by the sources or by the checks, in order. */
static int ids_of_stage(int stage, char ids[EXERCISES][12])
{
    int n = 0;
    for (int i = 0; i < exercise_count && n < EXERCISES; i++)
        if (atoi(exercises[i].id) == stage)
            put(ids[n++], 12, "%s", exercises[i].id);
    if (n > 0)
        return n;
    for (int i = 0; i < item_count && n < EXERCISES; i++) {
        const char *id = items[i].check->exercise;
        bool known = id == NULL || atoi(id) != stage;
        for (int j = 0; j < n && !known; j++)
            known = strcmp(ids[j], id) == 0;
        if (!known)
            put(ids[n++], 12, "%s", id);
    }
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && compare_ids(ids[j - 1], ids[j]) > 0; j--) {
            char swapped[12];
            memcpy(swapped, ids[j], 12);
            memcpy(ids[j], ids[j - 1], 12);
            memcpy(ids[j - 1], swapped, 12);
        }
    return n;
}

static void add_word(char *text, size_t size, const char *word)
{
    size_t length = strlen(text);
    put(text + length, size - length, " %s", word);
}

/* One that ran, if there is one: after some hangs the others do not run any more. */
static const struct item *first_failure(const char *exercise)
{
    const struct item *found = NULL;
    for (int i = 0; i < item_count; i++)
        if (is_failure(items[i].verdict) && items[i].verdict != NEEDS &&
            (exercise == NULL || (items[i].check->exercise != NULL &&
                                  strcmp(items[i].check->exercise, exercise) == 0)) &&
            (found == NULL || (found->record->progress == NOT_BEGUN &&
                               items[i].record->progress != NOT_BEGUN)))
            found = &items[i];
    return found;
}

/* Whether a check can say something about an exercise: its own, or one that it needs. */
static bool speaks_of(const struct check *check, const char *exercise)
{
    char id[12];
    int length;
    if (check->exercise != NULL && strcmp(check->exercise, exercise) == 0)
        return true;
    for (const char *rest = check->needs; sscanf(rest, " %11s%n", id, &length) == 1; rest += length)
        if (strcmp(id, exercise) == 0)
            return true;
    return false;
}

/*
 * Who is to blame? One mistake fails the checks of many exercises. The best suspect is the exercise
 * of which nearly all failed checks speak, and of whose own checks the greatest part fails. NULL:
 * nothing failed, or given code that needs no exercise. How the two are weighed was tried out on
 * the catalogue of mistakes (tests/mistakes).
 */
static const char *suspect(char ids[EXERCISES][12], int n)
{
    const char *found = NULL;
    double best = 0;
    for (int i = 0; i < n; i++) {
        int own = 0, own_failed = 0, failed = 0, speaking = 0;
        for (int j = 0; j < item_count; j++) {
            const struct check *c = items[j].check;
            bool wrong = is_failure(items[j].verdict) && items[j].verdict != NEEDS &&
                         items[j].verdict != UNWRITTEN && items[j].record->progress != NOT_BEGUN;
            bool mine = c->exercise != NULL && strcmp(c->exercise, ids[i]) == 0;
            if (wrong && c->exercise == NULL && c->needs[0] == '\0') {
                if (items[j].verdict == HUNG)
                    continue; /* an endless loop stops everybody who comes by */
                return NULL;
            }
            own += mine && items[j].record->progress != NOT_BEGUN;
            own_failed += mine && wrong;
            failed += wrong;
            speaking += wrong && speaks_of(c, ids[i]);
        }
        if (own_failed == 0)
            continue;
        double explained = (double)speaking / failed, score = (double)own_failed / own;
        for (int k = 0; k < 6; k++)
            score *= explained;
        if (score > best) {
            best = score;
            found = ids[i];
        }
    }
    return found;
}

static void card(int stage, int passed, int skipped)
{
    char ids[EXERCISES][12], done[400] = "", open[400] = "", waits[400] = "";
    const char *next = NULL;
    int n = ids_of_stage(stage, ids);
    const char *blamed = suspect(ids, n);
    for (int i = 0; i < n && blamed != NULL; i++) {
        const char *needs = NULL;
        if (unwritten_among(ids[i]) != NULL || standing_of(ids[i], &needs) == OPEN) {
            next = unwritten_among(ids[i]) != NULL ? NULL : blamed;
            break;
        }
    }
    for (int i = 0; i < n; i++) {
        const char *needs = NULL;
        char word[40];
        if (next != NULL && strcmp(next, ids[i]) == 0)
            continue;
        switch (standing_of(ids[i], &needs)) {
        case DONE:
            add_word(done, sizeof done, ids[i]);
            break;
        case OPEN:
            if (next == NULL)
                next = ids[i];
            else
                add_word(open, sizeof open, ids[i]);
            break;
        case WAITS:
            if (next == NULL && find_exercise(ids[i]) != NULL && find_exercise(ids[i])->unwritten) {
                next = ids[i];
                break;
            }
            put(word, sizeof word, needs == NULL ? "%s" : "%s (needs %s)", ids[i], needs);
            add_word(waits, sizeof waits, word);
            break;
        case NO_CHECK:
            break;
        }
    }
    /* No time here: the same code gives the same card. */
    say("1", "Stage %d: %d of %d checks passed%s", stage, passed, item_count - skipped,
        passed == item_count - skipped ? ", all of them" : "");
    if (done[0] != '\0')
        say("32", "  done:    %s", done);
    if (next != NULL) {
        const struct exercise *e = find_exercise(next);
        say("33", "  next:     %s %s", next, e == NULL ? "" : e->title);
    }
    if (open[0] != '\0')
        say(NULL, "  open:    %s", open);
    if (waits[0] != '\0')
        say(NULL, "  not run: %s", waits);
    /* Code that is given comes first: if it is broken, nothing else means anything. */
    const struct item *failure = NULL;
    for (int i = 0; i < item_count && failure == NULL && blamed == NULL; i++)
        if (items[i].check->exercise == NULL && is_failure(items[i].verdict) &&
            items[i].verdict != NEEDS && items[i].record->progress != NOT_BEGUN)
            failure = &items[i];
    if (failure == NULL)
        failure = first_failure(next);
    if (failure != NULL)
        say_failure(failure);
}

/* For scripts: one line for each check that was to run, and what became of it. */
static int write_results(double seconds)
{
    FILE *f = fopen(options.results, "w");
    if (f == NULL) {
        fprintf(stderr, "%s: %s: %s\n", program, options.results, strerror(errno));
        return -1;
    }
    for (int i = 0; i < item_count; i++) {
        const struct item *t = &items[i];
        fprintf(f, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%.4f\n", t->suite->stage, t->suite->name,
                t->check->name, t->kind == NULL ? "-" : t->kind,
                t->check->exercise == NULL ? "-" : t->check->exercise, verdict_names[t->verdict],
                t->record->unwritten[0] == '\0' ? "-" : t->record->unwritten, t->record->seconds);
    }
    fprintf(f, "total\t%.2f\n", seconds);
    return fclose(f) == 0 ? 0 : -1;
}

/* A suite of which nothing ran proves nothing. */
static bool suites_are_empty(void)
{
    bool any = false;
    for (struct suite *s = suites; s != NULL; s = s->next)
        if (s->count == 0) {
            printf("the suite %s has no checks\n", s->name);
            any = true;
        }
    return any;
}

static int report(double seconds)
{
    int counts[MISSING + 1] = {0}, failed = 0, shown = 0;
    for (int i = 0; i < item_count; i++) {
        counts[items[i].verdict]++;
        failed += is_failure(items[i].verdict);
    }
    if (item_count == 0)
        printf("%s: no check was chosen; --list names them\n", program);
    if (options.results != NULL && write_results(seconds) != 0)
        return 2;
    if (options.card && item_count > 0) {
        card(options.stage == 0 ? build_stage : options.stage, counts[PASSED], counts[SKIPS]);
    } else if (!options.quiet) {
        for (int i = 0; i < item_count && shown < 5; i++)
            if (is_failure(items[i].verdict) && (items[i].verdict != NEEDS || item_count == 1)) {
                lines_left = CARD_LINES;
                say_failure(&items[i]);
                shown++;
            }
        for (int i = 0; i < item_count; i++)
            if (items[i].verdict == SKIPS)
                say(NULL, "skipped: %s: %s", items[i].check->name, items[i].record->reason);
        if (failed > shown)
            say(NULL, "... and %d more (%d of them were not run: they need others)", failed - shown,
                counts[NEEDS]);
        if (!options.summary)
            printf("%s: %d checks, %d passed, %d failed, %d skipped in %.1f s\n", program,
                   item_count, counts[PASSED], failed, counts[SKIPS], seconds);
    }
    return failed > 0 || item_count == 0 || suites_are_empty() ? 1 : 0;
}

/* --- the command line ----------------------------------------------------------------------- */

static int usage(void)
{
    fprintf(stderr,
            "usage: %s [--stage N] [--exercise N.M] [--check NAME] [--fixture KIND] [--list]\n"
            "       [--card | --summary | --quiet] [--results FILE] [SEED]\n",
            program);
    return 2;
}

static bool read_seed(const char *text)
{
    char *rest;
    errno = 0;
    unsigned long seed = strtoul(text, &rest, 10);
    if (!isdigit((unsigned char)text[0]) || *rest != '\0' || errno != 0 || seed > 0xffffffffu) {
        fprintf(stderr, "%s: the seed '%s' is not a number from 0 to 4294967295\n", program, text);
        return false;
    }
    options.seed = (unsigned)seed;
    return true;
}

static bool read_options(int argc, char **argv)
{
    const char *seed = getenv("SEED");
    if (seed != NULL && seed[0] != '\0') {
        if (!read_seed(seed))
            return false;
    } else {
        options.seed = (unsigned)time(NULL) ^ (unsigned)getpid() << 16;
    }
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(a, "--list") == 0) {
            options.list = true;
            continue;
        } else if (strcmp(a, "--card") == 0) {
            options.card = true;
            continue;
        } else if (strcmp(a, "--quiet") == 0) {
            options.quiet = true;
            continue;
        } else if (strcmp(a, "--summary") == 0) {
            options.summary = true;
            continue;
        } else if (a[0] != '-') {
            if (!read_seed(a))
                return false;
            continue;
        } else if (v == NULL) {
            return false;
        }
        if (strcmp(a, "--stage") == 0)
            options.stage = atoi(v);
        else if (strcmp(a, "--exercise") == 0)
            options.exercise = v;
        else if (strcmp(a, "--check") == 0)
            options.check = v;
        else if (strcmp(a, "--fixture") == 0)
            options.kind = v;
        else if (strcmp(a, "--results") == 0)
            options.results = v;
        else
            return false;
        i++;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct timespec start, end;
    program = argv[0];
    for (const char *c = program; *c != '\0'; c++)
        if (isdigit((unsigned char)*c))
            build_stage = *c - '0';
    if (!read_options(argc, argv))
        return usage();
    if (options.list) {
        list();
        return 0;
    }
    scan_sources();
    setenv("CK_MAX_MSG_SIZE", "65536", 0);
    if (harness_is_slow())
        setenv("CK_TIMEOUT_MULTIPLIER", RUNNING_ON_VALGRIND ? "30" : "20", 0);
    item_count = count_chosen();
    items = calloc((size_t)item_count + 1, sizeof *items);
    struct record *records = shared(((size_t)item_count + 1) * sizeof *records);
    begun = shared(sizeof *begun);
    output = tmpfile();
    if (output != NULL) /* each check's process appends */
        fcntl(fileno(output), F_SETFL, fcntl(fileno(output), F_GETFL) | O_APPEND);
    for (int i = 0; i < item_count; i++)
        items[i].record = &records[i];
    clock_gettime(CLOCK_MONOTONIC, &start);
    run();
    clock_gettime(CLOCK_MONOTONIC, &end);
    int status =
        report((double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
    free(items);
    return status;
}
