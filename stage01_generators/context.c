/*
 * The part of a switch that is not worth inlining: how a computation is made ready for its first
 * switch, the ucontext version, and what the sanitizers want to be told. A sanitizer keeps books
 * about each stack; before a switch it must hear which stack comes next, and on arrival that it
 * did.
 */
#include "context.h"

#include <stdint.h>
#include <string.h>

#include "error.h"

#ifdef CONTEXT_ASAN
void __sanitizer_start_switch_fiber(void **save, const void *low, size_t size);
void __sanitizer_finish_switch_fiber(void *save, const void **old_low, size_t *old_size);
#endif
#ifdef CONTEXT_TSAN
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
#endif

#ifdef CONTEXT_ASAN
/* Whoever arrives learns the bounds of the stack that was left, for the way back to it. */
static _Thread_local struct context *left;

static void arrived(void *fake_stack)
{
    __sanitizer_finish_switch_fiber(fake_stack, &left->stack_low, &left->stack_size);
}
#endif

#if defined(CONTEXT_ASAN) || defined(CONTEXT_UCONTEXT)
/* The first thing that runs on a new stack, before the entry proper. */
#define CONTEXT_FIRST_STEP 1
static _Thread_local struct context *starting;
#endif

static inline __attribute__((always_inline)) void leave(struct context *from, struct context *to,
                                                        int for_good)
{
    (void)from, (void)to, (void)for_good;
#ifdef CONTEXT_FIRST_STEP
    starting = to;
#endif
#if defined(CONTEXT_ASAN)
    left = from;
    __sanitizer_start_switch_fiber(for_good ? NULL : &from->fake_stack, to->stack_low,
                                   to->stack_size);
#elif defined(CONTEXT_TSAN)
    from->fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

#ifdef CONTEXT_UCONTEXT

static void first_step(void)
{
    struct context *c = starting;
#ifdef CONTEXT_ASAN
    arrived(NULL);
#endif
    c->entry(c->message.about);
}

void context_prepare(struct context *c, void *low, size_t size, void (*entry)(void *about))
{
    memset(c, 0, sizeof *c);
    if (getcontext(&c->saved) != 0)
        die("context_prepare(): getcontext() failed");
    c->saved.uc_stack.ss_sp = low;
    c->saved.uc_stack.ss_size = size;
    c->saved.uc_link = NULL;
    c->entry = entry;
    makecontext(&c->saved, first_step, 0);
#if defined(CONTEXT_ASAN)
    c->stack_low = low;
    c->stack_size = size;
#elif defined(CONTEXT_TSAN)
    c->fiber = __tsan_create_fiber(0);
#endif
}

struct context_message context_switch(struct context *from, struct context *to,
                                      struct context_message message)
{
    to->message = message;
    leave(from, to, 0);
    if (swapcontext(&from->saved, &to->saved) != 0)
        die("context_switch(): swapcontext() failed");
#ifdef CONTEXT_ASAN
    arrived(from->fake_stack);
#endif
    return from->message;
}

void context_exit(struct context *from, struct context *to, struct context_message message)
{
    to->message = message;
    leave(from, to, 1);
    setcontext(&to->saved);
    die("context_exit(): setcontext() failed");
}

#else /* assembly */

#ifdef CONTEXT_ASAN
static void first_step(void *about)
{
    struct context *c = starting;
    arrived(NULL);
    c->entry(about);
}
#endif

/*
 * The first switch jumps to the entry as if somebody had called it:
 *
 *     low                                             low + size
 *      |  guard below … room for the generator … | 0 | pad |
 *                                                  ^ stack pointer: a return address of 0, where a
 *                                                    debugger's backtrace ends
 */
void context_prepare(struct context *c, void *low, size_t size, void (*entry)(void *about))
{
    uintptr_t top = ((uintptr_t)low + size) & ~(uintptr_t)15;
    memset(c, 0, sizeof *c);
#if defined(__x86_64__)
    top -= 8; /* the place of the return address: the entry finds the stack as after a call */
    memset((void *)top, 0, 8); /* NOLINT: the address is the point */
#endif
    c->stack_pointer = (void *)top; /* NOLINT */
    c->frame_pointer = NULL;
#if defined(CONTEXT_ASAN)
    c->entry = entry;
    entry = first_step;
    c->stack_low = low;
    c->stack_size = size;
#elif defined(CONTEXT_TSAN)
    c->fiber = __tsan_create_fiber(0);
#endif
    memcpy(&c->resume_at, &entry, sizeof entry); /* ISO C has no cast from function to object */
}

#ifdef CONTEXT_OUT_OF_LINE
struct context_message context_switch(struct context *from, struct context *to,
                                      struct context_message message)
{
    leave(from, to, 0);
    message = context_jump(from, to, message);
#ifdef CONTEXT_ASAN
    arrived(from->fake_stack);
#endif
    return message;
}
#endif

void context_exit(struct context *from, struct context *to, struct context_message message)
{
    leave(from, to, 1);
    context_jump(from, to, message);
    die("context_exit(): a computation that has ended was resumed");
}

#endif

void context_discard(struct context *c)
{
    (void)c;
#ifdef CONTEXT_TSAN
    if (c->fiber != NULL)
        __tsan_destroy_fiber(c->fiber);
    c->fiber = NULL;
#endif
}
