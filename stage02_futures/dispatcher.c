/*
 * What all dispatchers share: a list of those to be shut, a way to report, and the rule for when
 * their memory may go. And the simplest dispatcher there is, which has no queue at all.
 */
#include "dispatcher.h"

#include <stdlib.h>

#include "future.h"

void dispatcher_init(struct dispatcher *d, const struct dispatcher_ops *ops)
{
    *d = (struct dispatcher){.ops = ops};
    links_init(&d->members);
}

void problem_print(const struct problem *problem)
{
    char who[160] = "";
    if (problem->future != NULL)
        future_describe(problem->future, who, sizeof who);
    if (problem->error)
        fprintf(stderr, "%s: ", error_name(problem->error));
    fprintf(stderr, "%s%s%s%s\n", problem->message, who[0] != 0 ? " [" : "", who,
            who[0] != 0 ? "]" : "");
}

void dispatcher_report(struct dispatcher *d, const char *message, int error, struct future *future)
{
    struct problem problem = {.message = message, .error = error, .future = future};
    d->ops->report(d, &problem);
}

int dispatcher_enlist(struct dispatcher *d, struct member *member)
{
    if (d->closed)
        return ERR_CLOSED;
    links_append(&d->members, &member->links);
    return 0;
}

void dispatcher_delist(struct member *member)
{
    links_remove(&member->links);
}

void dispatcher_shut(struct dispatcher *d)
{
    d->closed = true;
    while (d->members.next != &d->members) {
        struct member *member = CONTAINER_OF(d->members.next, struct member, links);
        dispatcher_delist(member);
        member->ops->shut(member);
    }
    for (struct spare *next, *spare = d->spare; spare != NULL; spare = next) {
        next = spare->next;
        free(spare);
    }
    d->spare = NULL;
}

void dispatcher_release(struct dispatcher *d)
{
    d->released = true;
    if (d->futures == 0 && d->ops->gone != NULL)
        d->ops->gone(d);
}

size_t dispatcher_dump(struct dispatcher *d, FILE *stream)
{
    size_t n = 0;
    for (struct links *at = d->members.next; at != &d->members; at = at->next) {
        struct member *member = CONTAINER_OF(at, struct member, links);
        char line[200];
        if (member->ops->describe == NULL)
            continue;
        member->ops->describe(member, line, sizeof line);
        fprintf(stream, "  %s\n", line);
        n++;
    }
    return n;
}

/* --- the immediate one ---------------------------------------------------------------------- */

static int immediate_soon(struct dispatcher *d, struct call *call)
{
    if (d->closed)
        return ERR_CLOSED;
    int error = call->fn(call);
    if (error < 0)
        dispatcher_report(d, "a callback failed", error, NULL);
    return 0;
}

static void immediate_report(struct dispatcher *d, const struct problem *problem)
{
    (void)d;
    problem_print(problem);
}

static const struct dispatcher_ops immediate_ops = {
    .soon = immediate_soon, .report = immediate_report};

void immediate_init(struct dispatcher *d)
{
    dispatcher_init(d, &immediate_ops);
}

void immediate_close(struct dispatcher *d)
{
    dispatcher_shut(d);
}
