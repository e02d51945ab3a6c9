/*
 * The pieces of code that the chapter of stage 4 talks about, as one program that runs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "combine.h"
#include "loop.h"

/* [selfish] */
struct selfish {
    struct task_loop *loop;
    int left;
};

static int call_me_again(void *arg)
{
    struct selfish *s = arg;
    printf("selfish, %d to go\n", s->left);
    return --s->left > 0 ? loop_call_soon(s->loop, call_me_again, s, NULL) : 0;
}

static int modest(void *arg)
{
    printf("modest, and it is my turn\n");
    loop_stop(arg);
    return 0;
}
/* [selfish] */

static int show_turns(struct task_loop *loop)
{
    struct selfish selfish = {loop, 3};
    int error = loop_call_soon(loop, call_me_again, &selfish, NULL);
    if (!error)
        error = loop_call_soon(loop, modest, loop, NULL);
    if (!error)
        error = loop_run_forever(loop);
    while (!error && selfish.left > 0) {
        int ran = loop_run_once(loop);
        error = ran < 0 ? ran : 0;
    }
    return error;
}

/* [cook] */
static int cook(void *arg, value *ret)
{
    const char *dish = arg;
    int err = sleep_for(dish[0] == 's' ? 0.02 : 0.05);
    printf("%s: %s\n", dish, err ? error_name(err) : "ready");
    *ret = value_str(dish);
    return err;
}

static int dinner(void *arg, value *ret)
{
    struct dispatcher *d = task_dispatcher(task_current());
    struct task *soup = NULL, *roast = NULL;
    struct future *both = NULL;
    (void)arg, (void)ret;
    int err = task_spawn(cook, "soup", &soup);
    if (!err)
        err = task_spawn(cook, "roast", &roast);
    if (!err)
        err = gather(d, (struct future *[]){task_future(soup), task_future(roast)}, 2,
                     GATHER_FIRST_ERROR, &both);
    if (!err)
        err = wait_for(both, 0.03, NULL); /* the guests are hungry */
    printf("dinner: %s\n", err ? error_name(err) : "served");
    future_unref(both);
    task_unref(soup);
    task_unref(roast);
    return err == ERR_TIMEOUT ? 0 : err;
}
/* [cook] */

static int show_dinner(struct task_loop *loop)
{
    struct task *task;
    int error = task_new(loop_dispatcher(loop), dinner, NULL, &task);
    if (error)
        return error;
    error = loop_run_until_complete(loop, task_future(task), NULL);
    task_unref(task);
    return error;
}

int main(void)
{
    struct task_loop *loop = loop_new(clock_poller_new());
    int error = loop == NULL ? -ENOMEM : show_turns(loop);
    if (!error)
        error = show_dinner(loop);
    loop_free(loop);
    if (error)
        fprintf(stderr, "turns: %s\n", error_text(error));
    return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
