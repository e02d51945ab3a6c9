/*
 * dispatcher.h: whoever calls back soon. The first suite runs on every dispatcher there is, because
 * all of them must keep the same promises; the second one looks at the parts that they share.
 */
#include "dispatcher.h"

#include <stdlib.h>

#include "future.h"
#include "harness.h"

/* A call that notes its name. */
struct note {
    struct call call;
    const char *name;
    int answer;
    struct call *also_queue; /* by the call itself */
    struct call *withdraw;   /* likewise */
};

static int run_note(struct call *call)
{
    struct note *note = CONTAINER_OF(call, struct note, call);
    record("%s", note->name);
    if (note->also_queue != NULL)
        expect_ok(dispatcher_soon(fixture_dispatcher(), note->also_queue));
    if (note->withdraw != NULL)
        call_queue_remove(note->withdraw);
    return note->answer;
}

static void drop_note(struct call *call)
{
    record("%s dropped", CONTAINER_OF(call, struct note, call)->name);
}

static struct note new_note(const char *name)
{
    return (struct note){.call = {.fn = run_note, .drop = drop_note}, .name = name};
}

/* A member that notes that it was shut. */
struct noted_member {
    struct member member;
    const char *name;
    struct dispatcher *dispatcher;
    struct member *also_delist;
};

static void shut_note(struct member *member)
{
    struct noted_member *m = CONTAINER_OF(member, struct noted_member, member);
    record("%s shut", m->name);
    if (m->also_delist != NULL)
        dispatcher_delist(m->also_delist);
    if (m->dispatcher != NULL)
        expect_error(dispatcher_enlist(m->dispatcher, &m->member), ERR_CLOSED);
}

static int describe_note(struct member *member, char *text, size_t size)
{
    return snprintf(text, size, "member %s",
                    CONTAINER_OF(member, struct noted_member, member)->name);
}

static const struct member_ops note_ops = {.shut = shut_note};
static const struct member_ops described_ops = {.shut = shut_note, .describe = describe_note};

/* --- on every dispatcher ---------------------------------------------------------------------- */

static void a_closed_dispatcher_takes_no_calls_and_no_members(void)
{
    struct dispatcher *d = fixture_dispatcher();
    struct note a = new_note("a");
    struct noted_member m = {.member.ops = &note_ops, .name = "m"};
    fixture_close();
    step("dispatcher_soon() after the close");
    expect_error(dispatcher_soon(d, &a.call), ERR_CLOSED);
    step("dispatcher_enlist() after the close");
    expect_error(dispatcher_enlist(d, &m.member), ERR_CLOSED);
    fixture_pump();
    expect_no_trace();
}

static void forgetting_a_call_that_is_not_queued_does_nothing(void)
{
    struct note a = new_note("a");
    step("call_queue_remove() of a call that was never queued");
    call_queue_remove(&a.call);
    expect_int(fixture_pump(), 0);
    expect_no_trace();
}

static void calls_are_made_later_and_in_order(void)
{
    struct note a = new_note("a"), b = new_note("b"), c = new_note("c");
    step("dispatcher_soon() for a, b, c");
    expect_ok(dispatcher_soon(fixture_dispatcher(), &a.call));
    expect_ok(dispatcher_soon(fixture_dispatcher(), &b.call));
    expect_ok(dispatcher_soon(fixture_dispatcher(), &c.call));
    expect_no_trace();
    step("one iteration");
    expect_int(fixture_iteration(), 3);
    expect_trace("a", "b", "c");
    expect_int(fixture_iteration(), 0);
    expect_no_trace();
}

static void a_call_queued_by_a_call_waits_for_the_next_iteration(void)
{
    struct note a = new_note("a"), b = new_note("b"), c = new_note("c");
    a.also_queue = &c.call;
    expect_ok(dispatcher_soon(fixture_dispatcher(), &a.call));
    expect_ok(dispatcher_soon(fixture_dispatcher(), &b.call));
    step("one iteration, in which a queues c");
    expect_int(fixture_iteration(), 2);
    expect_trace("a", "b");
    step("the next one");
    expect_int(fixture_iteration(), 1);
    expect_trace("c");
}

static void a_call_may_queue_itself_again(void)
{
    struct note a = new_note("a");
    a.also_queue = &a.call;
    expect_ok(dispatcher_soon(fixture_dispatcher(), &a.call));
    step("three iterations of a call that queues itself");
    expect_int(fixture_iteration(), 1);
    expect_int(fixture_iteration(), 1);
    a.also_queue = NULL;
    expect_int(fixture_iteration(), 1);
    expect_int(fixture_iteration(), 0);
    expect_trace("a", "a", "a");
}

static void a_withdrawn_call_is_not_made(void)
{
    struct note a = new_note("a"), b = new_note("b"), c = new_note("c");
    expect_ok(dispatcher_soon(fixture_dispatcher(), &a.call));
    expect_ok(dispatcher_soon(fixture_dispatcher(), &b.call));
    expect_ok(dispatcher_soon(fixture_dispatcher(), &c.call));
    step("call_queue_remove(b)");
    call_queue_remove(&b.call);
    expect_true("a withdrawn call is marked as not queued", !call_is_queued(&b.call));
    expect_int(fixture_iteration(), 2);
    expect_trace("a", "c");
    step("queueing b again");
    expect_ok(dispatcher_soon(fixture_dispatcher(), &b.call));
    expect_int(fixture_iteration(), 1);
    expect_trace("b");
}

static void a_call_may_withdraw_one_of_its_own_batch(void)
{
    struct note a = new_note("a"), b = new_note("b"), c = new_note("c");
    a.withdraw = &c.call;
    expect_ok(dispatcher_soon(fixture_dispatcher(), &a.call));
    expect_ok(dispatcher_soon(fixture_dispatcher(), &b.call));
    expect_ok(dispatcher_soon(fixture_dispatcher(), &c.call));
    step("an iteration in which a withdraws c");
    expect_int(fixture_iteration(), 2);
    expect_trace("a", "b");
}

static void an_error_of_a_call_is_reported_and_the_others_are_made(void)
{
    struct note a = new_note("a"), b = new_note("b");
    a.answer = ERR_USER;
    expect_ok(dispatcher_soon(fixture_dispatcher(), &a.call));
    expect_ok(dispatcher_soon(fixture_dispatcher(), &b.call));
    step("an iteration in which a answers ERR_USER");
    expect_int(fixture_iteration(), 2);
    expect_trace("a", "b");
    expect_report("", ERR_USER);
    expect_no_report();
}

static void a_report_arrives_with_its_sentence(void)
{
    step("dispatcher_report(d, \"the kettle is empty\", ERR_BUSY, NULL)");
    dispatcher_report(fixture_dispatcher(), "the kettle is empty", ERR_BUSY, NULL);
    expect_report("the kettle is empty", ERR_BUSY);
    expect_no_report();
}

static void closing_drops_the_queued_calls(void)
{
    struct note a = new_note("a"), b = new_note("b");
    b.call.drop = NULL;
    expect_ok(dispatcher_soon(fixture_dispatcher(), &a.call));
    expect_ok(dispatcher_soon(fixture_dispatcher(), &b.call));
    step("closing with two calls queued");
    fixture_close();
    expect_trace("a dropped");
    expect_true("a dropped call is marked as not queued", !call_is_queued(&b.call));
}

static void closing_shuts_the_members_oldest_first(void)
{
    struct dispatcher *d = fixture_dispatcher();
    struct noted_member a = {.member.ops = &note_ops, .name = "a", .dispatcher = d};
    struct noted_member b = {.member.ops = &note_ops, .name = "b"};
    struct noted_member c = {.member.ops = &note_ops, .name = "c"};
    struct noted_member e = {.member.ops = &note_ops, .name = "e"};
    expect_ok(dispatcher_enlist(d, &a.member));
    expect_ok(dispatcher_enlist(d, &b.member));
    expect_ok(dispatcher_enlist(d, &c.member));
    expect_ok(dispatcher_enlist(d, &e.member));
    dispatcher_delist(&b.member);
    dispatcher_delist(&b.member); /* harmless */
    a.also_delist = &c.member;    /* by a sibling, while they are being shut */
    step("closing with members a, c, e; a delists c");
    fixture_close();
    expect_trace("a shut", "e shut");
}

static const struct check checks[] = {
    CHECK(a_closed_dispatcher_takes_no_calls_and_no_members, "F23 L15", NULL, ""),
    CHECK(forgetting_a_call_that_is_not_queued_does_nothing, "", NULL, ""),
    CHECK(calls_are_made_later_and_in_order, "F09 H02", NULL, ""),
    CHECK(a_call_queued_by_a_call_waits_for_the_next_iteration, "F16 L02", NULL, ""),
    CHECK(a_call_may_queue_itself_again, "L02", NULL, ""),
    CHECK(a_withdrawn_call_is_not_made, "", NULL, ""),
    CHECK(a_call_may_withdraw_one_of_its_own_batch, "H03", NULL, ""),
    CHECK(an_error_of_a_call_is_reported_and_the_others_are_made, "F15 H04", NULL, ""),
    CHECK(a_report_arrives_with_its_sentence, "H04", NULL, ""),
    CHECK(closing_drops_the_queued_calls, "L14", NULL, ""),
    CHECK(closing_shuts_the_members_oldest_first, "L14", NULL, ""),
};
SUITE_ON_FIXTURE(dispatcher, 2, checks)

/* --- what they share -------------------------------------------------------------------------- */

static struct note *as_note(struct call *call)
{
    return call == NULL ? NULL : CONTAINER_OF(call, struct note, call);
}

static void a_queue_of_calls_is_first_in_first_out(void)
{
    struct call_queue q, other;
    struct note a = new_note("a"), b = new_note("b"), c = new_note("c");
    call_queue_init(&q);
    call_queue_init(&other);
    expect_true("a new queue is empty", call_queue_empty(&q));
    expect_true("nothing can be taken from it", call_queue_pop(&q) == NULL);
    expect_true("a zeroed call is in no queue", !call_queue_remove(&a.call));
    call_queue_push(&q, &a.call);
    call_queue_push(&q, &b.call);
    call_queue_push(&q, &c.call);
    step("call_queue_remove() of the middle one of three");
    expect_true("it was queued", call_queue_remove(&b.call));
    expect_true("it is not any more", !call_queue_remove(&b.call));
    call_queue_push(&other, &b.call);
    step("call_queue_move() behind what is there");
    call_queue_move(&other, &q);
    expect_true("the source is empty then", call_queue_empty(&q));
    call_queue_move(&other, &q);
    expect_str(as_note(call_queue_pop(&other))->name, "b");
    expect_str(as_note(call_queue_pop(&other))->name, "a");
    expect_str(as_note(call_queue_pop(&other))->name, "c");
    expect_true("all have been taken", call_queue_empty(&other));
    call_queue_push(&q, &a.call);
    call_queue_push(&q, &c.call);
    step("call_queue_drop()");
    call_queue_drop(&q);
    expect_trace("a dropped", "c dropped");
}

static void the_immediate_dispatcher_calls_at_once(void)
{
    struct dispatcher d;
    struct note a = new_note("a");
    struct noted_member m = {.member.ops = &note_ops, .name = "m"};
    immediate_init(&d);
    step("dispatcher_soon() on the immediate dispatcher");
    expect_ok(dispatcher_soon(&d, &a.call));
    expect_trace("a");
    call_queue_remove(&a.call);
    expect_ok(dispatcher_enlist(&d, &m.member));
    step("immediate_close()");
    immediate_close(&d);
    immediate_close(&d);
    expect_trace("m shut");
    expect_error(dispatcher_soon(&d, &a.call), ERR_CLOSED);
    expect_no_trace();
}

/* A dispatcher that only notes when its memory may go. */
static int refuse(struct dispatcher *d, struct call *call)
{
    (void)d, (void)call;
    return ERR_CLOSED;
}

static void note_report(struct dispatcher *d, const struct problem *problem)
{
    (void)d;
    record("report: %s", problem->message);
}

static void note_gone(struct dispatcher *d)
{
    (void)d;
    record("gone");
}

static const struct dispatcher_ops noting = {
    .soon = refuse, .report = note_report, .gone = note_gone};

static void its_memory_goes_with_its_last_future(void)
{
    struct dispatcher d;
    dispatcher_init(&d, &noting);
    struct future *f = future_new(&d), *g = future_new(&d);
    expect_int(d.futures, 2);
    dispatcher_shut(&d);
    step("dispatcher_release() while two futures live");
    dispatcher_release(&d);
    expect_no_trace();
    future_unref(f);
    expect_no_trace();
    step("future_unref() of the last one");
    future_unref(g);
    expect_trace("gone");
}

static void its_memory_goes_at_once_without_futures(void)
{
    struct dispatcher d;
    dispatcher_init(&d, &noting);
    dispatcher_shut(&d);
    step("dispatcher_release() without any future");
    dispatcher_release(&d);
    expect_trace("gone");
}

static void a_dump_has_a_line_for_each_member(void)
{
    struct dispatcher d;
    struct noted_member a = {.member.ops = &described_ops, .name = "a"};
    struct noted_member b = {.member.ops = &described_ops, .name = "b"};
    char *text = NULL;
    size_t size = 0;
    dispatcher_init(&d, &noting);
    expect_ok(dispatcher_enlist(&d, &a.member));
    expect_ok(dispatcher_enlist(&d, &b.member));
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        skip("needs a stream in memory");
    step("dispatcher_dump() with two members");
    expect_int(dispatcher_dump(&d, stream), 2);
    fclose(stream);
    expect_text(text, "member a\n");
    expect_text(text, "member b\n");
    free(text);
    dispatcher_delist(&a.member);
    dispatcher_delist(&b.member);
    dispatcher_shut(&d);
    expect_no_trace();
}

static const struct check shared_checks[] = {
    CHECK(a_queue_of_calls_is_first_in_first_out, "", NULL, ""),
    CHECK(the_immediate_dispatcher_calls_at_once, "", NULL, ""),
    CHECK(its_memory_goes_with_its_last_future, "", NULL, ""),
    CHECK(its_memory_goes_at_once_without_futures, "", NULL, ""),
    CHECK(a_dump_has_a_line_for_each_member, "", NULL, ""),
};
SUITE(dispatcher_parts, 2, shared_checks)
