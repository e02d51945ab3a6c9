/**
 * @file context.h
 * @brief Where a computation stopped: the one place that knows how to switch stacks.
 *
 * Private to stage 1, and given: no exercise is in here.
 *
 * A suspended computation is a stack and a handful of registers. context_switch() puts the ones in
 * use into one struct, takes others from a second struct, and goes on there; the switch back makes
 * it return as if nothing had happened. There are two ways to do it:
 *
 * - `make CONTEXT=ucontext`: swapcontext() of the C library. Portable, and the one to read first,
 *   but each switch asks the kernel for the signal mask: about 180 ns.
 * - assembly, the default: about one nanosecond. The compiler is told that *everything* except the
 *   stack pointer, the frame pointer and the place to go on is destroyed, so it saves exactly what
 *   it still needs, and we save three words.
 *
 * The three words are stored by name and not pushed, because a leaf function may keep its locals
 * below the stack pointer (the red zone). The way out is a jump and not a `ret`: the processor
 * predicts that a `ret` goes back to the latest call, and here it never does. Not saved: the signal
 * mask, the rounding mode and the exception flags of the floating-point unit; all generators of a
 * thread share them.
 */
#ifndef CONTEXT_H
#define CONTEXT_H

#include <stddef.h>

#include "error.h"
#include "value.h"

#if !defined(CONTEXT_UCONTEXT) && !defined(__x86_64__) && !defined(__aarch64__) && \
    !(defined(__riscv) && __riscv_xlen == 64)
#define CONTEXT_UCONTEXT 1 /* no assembly for this machine */
#endif

#ifdef CONTEXT_UCONTEXT
#include <ucontext.h>
#endif

/* The sanitizers follow a stack switch only if they are told. */
#if defined(SANITIZE_ADDRESS)
#define CONTEXT_ASAN 1
#elif defined(SANITIZE_THREAD)
#define CONTEXT_TSAN 1
#endif

/*
 * On the cold paths of whoever switches. gcc follows calls to learn which static variables they
 * leave alone, and does not see that a switch runs other people's code: a caller's `static int n`
 * would stay in a register over gen_close(). A call that it cannot follow makes it give up.
 */
#if defined(__GNUC__) && !defined(__clang__)
#define CONTEXT_OPAQUE __attribute__((noipa))
#else
#define CONTEXT_OPAQUE __attribute__((noinline))
#endif

/**
 * What a switch carries to the other side. In assembly it travels in registers: written to memory
 * here and read back there at once, it would cost more than the switch itself.
 */
struct context_message {
    void *about; /**< All that a computation gets with its first switch. */
    value value;
    int status;
};

/** Where a computation stopped. Valid while it is not running. */
struct context {
#ifdef CONTEXT_UCONTEXT
    ucontext_t saved;
    struct context_message message; /* swapcontext() carries none, so it waits here */
#else
    void *stack_pointer;
    void *frame_pointer;
    void *resume_at;
#endif
#if defined(CONTEXT_UCONTEXT) || defined(CONTEXT_ASAN)
    void (*entry)(void *about);
#endif
#if defined(CONTEXT_ASAN)
    void *fake_stack; /* ASan's own second stack, while this one is not in use */
    const void *stack_low;
    size_t stack_size;
#elif defined(CONTEXT_TSAN)
    void *fiber;
#endif
};

/**
 * Makes @p c a computation that has not started: the first switch to it calls entry(message.about)
 * on the given stack. @p entry must never return; it leaves by context_exit().
 */
void context_prepare(struct context *c, void *low, size_t size, void (*entry)(void *about));

/** Forgets what the sanitizers know of @p c, which will not run again. */
void context_discard(struct context *c);

#if defined(CONTEXT_UCONTEXT) || defined(CONTEXT_ASAN) || defined(CONTEXT_TSAN)
#define CONTEXT_OUT_OF_LINE 1
struct context_message context_switch(struct context *from, struct context *to,
                                      struct context_message message);
#endif

#ifndef CONTEXT_UCONTEXT

#if defined(__x86_64__)

#ifdef __AVX512F__ /* these exist only there, and are as volatile as the others */
#define CONTEXT_CLOBBER_WIDE \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", \
        "k7"
#else
#define CONTEXT_CLOBBER_WIDE
#endif
#ifdef __CET__
#define CONTEXT_LANDING "endbr64\n"
#else
#define CONTEXT_LANDING ""
#endif

/* Where a switch lands, a whole window of instructions shall begin: hence the alignment. */
static inline __attribute__((always_inline)) struct context_message
context_jump(struct context *from, struct context *to, struct context_message message)
{
    void *about = message.about;
    const struct value_type *type = message.value.type;
    intptr_t word = message.value.as.integer;
    int status = message.status;
    __asm__ volatile("leaq 1f(%%rip), %%r8\n\t"
                     "movq %%rsp, 0(%%rsi)\n\t"
                     "movq %%rbp, 8(%%rsi)\n\t"
                     "movq %%r8, 16(%%rsi)\n\t"
                     "movq 0(%%rdx), %%rsp\n\t"
                     "movq 8(%%rdx), %%rbp\n\t"
                     "jmpq *16(%%rdx)\n\t"
                     ".p2align 5\n"
                     "1: " CONTEXT_LANDING
                     : "+D"(about), "+a"(type), "+c"(word), "+b"(status), "+S"(from), "+d"(to)
                     :
                     : "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                       "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "xmm0",
                       "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory",
                       "cc" CONTEXT_CLOBBER_WIDE);
    return (struct context_message){about, {type, {.integer = word}}, status};
}

#elif defined(__aarch64__)

#if defined(__APPLE__) || defined(__ANDROID__) || defined(_WIN32)
#define CONTEXT_CLOBBER_X18 /* belongs to the system: no compiler keeps anything there */
#else
#define CONTEXT_CLOBBER_X18 "x18",
#endif

static inline __attribute__((always_inline)) struct context_message
context_jump(struct context *from, struct context *to, struct context_message message)
{
    register void *x0 __asm__("x0") = message.about;
    register struct context *x1 __asm__("x1") = from;
    register struct context *x2 __asm__("x2") = to;
    register const struct value_type *x5 __asm__("x5") = message.value.type;
    register intptr_t x6 __asm__("x6") = message.value.as.integer;
    register int x7 __asm__("x7") = message.status;
    __asm__ volatile("adr x4, 1f\n\t"
                     "mov x3, sp\n\t"
                     "stp x3, x29, [x1]\n\t"
                     "str x4, [x1, #16]\n\t"
                     "ldp x3, x29, [x2]\n\t"
                     "ldr x4, [x2, #16]\n\t"
                     "mov sp, x3\n\t"
                     "br x4\n"
                     "1: hint #36\n" /* bti j: a landing place for the jump */
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x5), "+r"(x6), "+r"(x7)
                     :
                     : "x3", "x4", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
                       "x17", CONTEXT_CLOBBER_X18 "x19", "x20", "x21", "x22", "x23", "x24", "x25",
                       "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7",
                       "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18",
                       "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29",
                       "v30", "v31", "memory", "cc");
    return (struct context_message){x0, {x5, {.integer = x6}}, x7};
}

#else /* riscv64 */

static inline __attribute__((always_inline)) struct context_message
context_jump(struct context *from, struct context *to, struct context_message message)
{
    register void *a0 __asm__("a0") = message.about;
    register struct context *a1 __asm__("a1") = from;
    register struct context *a2 __asm__("a2") = to;
    register const struct value_type *a3 __asm__("a3") = message.value.type;
    register intptr_t a4 __asm__("a4") = message.value.as.integer;
    register long a5 __asm__("a5") = message.status;
    __asm__ volatile("lla t0, 1f\n\t"
                     "sd sp, 0(a1)\n\t"
                     "sd s0, 8(a1)\n\t"
                     "sd t0, 16(a1)\n\t"
                     "ld sp, 0(a2)\n\t"
                     "ld s0, 8(a2)\n\t"
                     "ld t0, 16(a2)\n\t"
                     "jr t0\n"
                     "1:\n"
                     : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5)
                     :
                     : "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a6", "a7",
                       "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "ft0",
                       "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "ft8", "ft9", "ft10",
                       "ft11", "fs0", "fs1", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9",
                       "fs10", "fs11", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5", "fa6", "fa7",
                       "memory");
    return (struct context_message){a0, {a3, {.integer = a4}}, (int)a5};
}

#endif

#ifndef CONTEXT_OUT_OF_LINE
/**
 * Stops here, goes on where @p to stopped, and hands @p message over.
 * Returns when somebody switches back, with the message of that switch.
 */
static inline __attribute__((always_inline)) struct context_message
context_switch(struct context *from, struct context *to, struct context_message message)
{
    return context_jump(from, to, message);
}
#endif

#endif /* assembly */

/** Switches to @p to for good: @p from will never run again. */
_Noreturn void context_exit(struct context *from, struct context *to,
                            struct context_message message);

#endif
