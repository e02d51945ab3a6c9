/*
 * Stacks come from reservations of address space, carved into slots. Reserving costs nothing; a
 * page costs memory when it is first touched, so a slot may be generous.
 *
 * Guards: a guard that is a mapping of its own (mprotect) would stop us at 32,000 stacks, because a
 * process may have only 65,530 mappings. Linux 6.13 can mark pages inside a mapping instead
 * (MADV_GUARD_INSTALL); we take that where it exists.
 *
 * What we know of a slot stands in its highest bytes, which are in memory anyway, and stays there
 * for the next owner: to take a slot is to unlink it. The list of free ones is last-in-first-out,
 * so that the next generator gets a stack that is still in the cache, and each thread has its own.
 * What a thread leaves behind when it ends is kept for the next one that asks.
 */
#include "stack.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef VALGRIND_STACK_REGISTER
#define VALGRIND_STACK_REGISTER(low, high) ((void)(low), (void)(high))
#define VALGRIND_MAKE_MEM_UNDEFINED(low, size) ((void)(low), (void)(size))
#define RUNNING_ON_VALGRIND 0
#endif

#ifdef SANITIZE_ADDRESS
void __asan_unpoison_memory_region(const volatile void *low, size_t size);
void __lsan_register_root_region(const void *low, size_t size);
#endif

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
enum { ADVISE_GUARD = 102, ADVISE_NONSENSE = 9999, FIRST_BATCH = 16, LARGEST_BATCH = 16384 };

/* What one thread has of one size. */
struct shelf {
    struct stack *free;
    unsigned char *fresh, *fresh_end; /* reserved, not yet carved */
    size_t batch;                     /* slots to reserve next time: doubles */
    unsigned next_colour;
};

/* The rest of a reservation whose thread has ended. Stands at its own beginning. */
struct remnant {
    struct remnant *next;
    unsigned char *end;
};

static _Thread_local struct shelf shelves[STACK_CLASSES];

/* What threads left behind, and what is decided once for the process. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct stack *left_behind[STACK_CLASSES];
static struct remnant *remnants[STACK_CLASSES];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;
static size_t page;
static bool light_guards, watched; /* the latter: by valgrind */

static size_t slot_size(unsigned size_class)
{
    return (size_t)STACK_SMALLEST << size_class;
}

/* A quarter of the smallest slot, more of the larger: a big frame must not jump over it. */
static size_t guard_size(unsigned size_class)
{
    size_t guard = size_class == 0 ? STACK_SMALLEST / 4 : STACK_SMALLEST;
    return guard < page ? page : guard;
}

static void leave_behind(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    for (unsigned c = 0; c < STACK_CLASSES; c++) {
        struct shelf *shelf = &shelves[c];
        struct stack **last = &shelf->free;
        while (*last != NULL)
            last = &(*last)->next;
        *last = left_behind[c];
        left_behind[c] = shelf->free;
        if (shelf->fresh != shelf->fresh_end) {
            struct remnant *remnant = (struct remnant *)(void *)shelf->fresh;
            *remnant = (struct remnant){remnants[c], shelf->fresh_end};
            remnants[c] = remnant;
        }
        *shelf = (struct shelf){0};
    }
    pthread_mutex_unlock(&lock);
}

static void decide_once(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    watched = RUNNING_ON_VALGRIND != 0;
    if (pthread_key_create(&at_thread_end, leave_behind) != 0)
        die("stack_acquire(): no thread-specific key is left");
    /* Some emulators accept any advice and do nothing: one that takes nonsense is not believed. */
    void *probe = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED)
        return;
    light_guards =
        madvise(probe, page, ADVISE_NONSENSE) != 0 && madvise(probe, page, ADVISE_GUARD) == 0;
    munmap(probe, page);
}

/* From now on the calling thread has stacks, taken or adopted, and leaves them at its end. */
static void enlist_thread(void)
{
    pthread_once(&once, decide_once);
    pthread_setspecific(at_thread_end, shelves); /* anything but NULL */
}

/* Takes over what ended threads left, or reserves address space for the next batch of slots. */
static int restock(struct shelf *shelf, unsigned size_class)
{
    size_t size = slot_size(size_class);
    enlist_thread();
    pthread_mutex_lock(&lock);
    shelf->free = left_behind[size_class];
    left_behind[size_class] = NULL;
    struct remnant *remnant = shelf->free == NULL ? remnants[size_class] : NULL;
    if (remnant != NULL) {
        remnants[size_class] = remnant->next;
        shelf->fresh = (unsigned char *)remnant;
        shelf->fresh_end = remnant->end;
    }
    pthread_mutex_unlock(&lock);
    if (shelf->free != NULL || remnant != NULL)
        return 0;
    size_t batch = shelf->batch == 0 ? FIRST_BATCH : shelf->batch;
    if (batch * size > STACK_LARGEST * FIRST_BATCH)
        batch = STACK_LARGEST * FIRST_BATCH / size;
    void *base = MAP_FAILED;
    while (base == MAP_FAILED && batch > 0) { /* less address space is better than none */
        base = mmap(NULL, batch * size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED)
            batch /= 2;
    }
    if (base == MAP_FAILED)
        return -ENOMEM;
#ifdef MADV_NOHUGEPAGE
    madvise(base, batch * size, MADV_NOHUGEPAGE); /* one touched page must not become 512 */
#endif
    shelf->fresh = base;
    shelf->fresh_end = shelf->fresh + batch * size;
    shelf->batch = batch * 2 < LARGEST_BATCH ? batch * 2 : LARGEST_BATCH;
    return 0;
}

/* Makes the next fresh slot a stack. */
static int carve(struct shelf *shelf, unsigned size_class)
{
    size_t size = slot_size(size_class), guard = guard_size(size_class);
    unsigned char *base = shelf->fresh;
    if (light_guards ? madvise(base, guard, ADVISE_GUARD) != 0
                     : mprotect(base, guard, PROT_NONE) != 0)
        return -ENOMEM; /* the system allows no more mappings */
    VALGRIND_STACK_REGISTER(base + guard, base + size);
#ifdef SANITIZE_ADDRESS
    __lsan_register_root_region(base + guard, size - guard);
#endif
    struct stack *stack = (struct stack *)(void *)(base + size - sizeof *stack);
    *stack = (struct stack){.low = base + guard,
                            .size = size - guard - sizeof *stack,
                            .colour = shelf->next_colour++ % 16,
                            .size_class = size_class,
                            .next = shelf->free};
    shelf->free = stack;
    shelf->fresh = base + size;
    return 0;
}

/* The shelf is empty. */
static __attribute__((noinline)) int fill(struct shelf *shelf, unsigned size_class)
{
    int error = shelf->fresh == shelf->fresh_end ? restock(shelf, size_class) : 0;
    return error || shelf->free != NULL ? error : carve(shelf, size_class);
}

int stack_acquire(size_t size, struct stack **out)
{
    unsigned size_class = 0;
    if (size == 0 || size > STACK_LARGEST)
        return ERR_VALUE;
    if (size > STACK_SMALLEST) /* the bits of (size - 1) / STACK_SMALLEST */
        size_class =
            64 - (unsigned)__builtin_clzll((unsigned long long)(size - 1) / STACK_SMALLEST);
    struct shelf *shelf = &shelves[size_class];
    if (shelf->free == NULL) {
        int error = fill(shelf, size_class);
        if (error)
            return error;
    }
    *out = shelf->free;
    shelf->free = (*out)->next;
#ifdef SANITIZE_ADDRESS
    __asan_unpoison_memory_region((*out)->low,
                                  (*out)->size); /* who was here may have left by a jump */
#endif
    return 0;
}

static __attribute__((noinline)) void tell_valgrind(const struct stack *stack)
{
    (void)stack; /* where valgrind does not run, its macros are nothing */
    VALGRIND_MAKE_MEM_UNDEFINED(stack->low, stack->size);
}

void stack_release(struct stack *stack)
{
    struct shelf *shelf = &shelves[stack->size_class];
    if (watched)
        tell_valgrind(stack);
    stack->next = shelf->free;
    shelf->free = stack;
}

/* --- running off the end ------------------------------------------------------------------ */

#if !defined(SANITIZE_ADDRESS) && !defined(SANITIZE_THREAD) /* they have handlers of their own */
static stack_owner_fn *find_owner;
static struct sigaction previous_segv, previous_bus;

/* Says who it was, restores what was there before, and lets the same access fault once more. */
static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    static const char one[] = "fatal: generator '", two[] = "' overflowed its ",
                      three[] = " KiB stack\n";
    size_t size = 0;
    const char *name = find_owner(info->si_addr, &size);
    (void)context;
    if (name != NULL) {
        char digits[12], *d = digits + sizeof digits;
        for (size_t kib = size / 1024; kib > 0; kib /= 10)
            *--d = (char)('0' + kib % 10);
        ssize_t ignored = write(STDERR_FILENO, one, sizeof one - 1);
        ignored = write(STDERR_FILENO, name, strlen(name));
        ignored = write(STDERR_FILENO, two, sizeof two - 1);
        ignored = write(STDERR_FILENO, d, (size_t)(digits + sizeof digits - d));
        ignored = write(STDERR_FILENO, three, sizeof three - 1);
        (void)ignored;
    }
    sigaction(signal_number, signal_number == SIGSEGV ? &previous_segv : &previous_bus, NULL);
}

static void install(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = on_fault;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &previous_segv);
    sigaction(SIGBUS, &action, &previous_bus);
}

static pthread_once_t install_once = PTHREAD_ONCE_INIT;
static pthread_key_t alternate_key;

static void drop_alternate(void *base)
{
    stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
    munmap(base, (size_t)64 * 1024);
}

static void make_key(void)
{
    pthread_key_create(&alternate_key, drop_alternate);
    install();
}

void stack_blame(stack_owner_fn *owner)
{
    stack_t now;
    enlist_thread();
    find_owner = owner;
    pthread_once(&install_once, make_key);
    if (sigaltstack(NULL, &now) != 0 || !(now.ss_flags & SS_DISABLE))
        return; /* the program has arranged for one itself */
    size_t size = (size_t)64 * 1024; /* SIGSTKSZ was 8 KiB once; a frame alone may be 12 today */
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return;
    stack_t alternate = {.ss_sp = base, .ss_size = size};
    sigaltstack(&alternate, NULL);
    pthread_setspecific(alternate_key, base);
}
#else
void stack_blame(stack_owner_fn *owner)
{
    (void)owner;
    enlist_thread();
}
#endif
