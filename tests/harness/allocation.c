/*
 * What the system gives and refuses. The checks are linked with --wrap=malloc and so on: the calls
 * of the library and the suites come here, those of the C library itself do not.
 *
 * Blocks in use stand in a table of addresses (open addressing; a hole is filled by moving up who
 * belongs there), so that what a check leaves behind can be counted in every build, not only under
 * a sanitizer.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "harness_impl.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);

#define WRAPPED __attribute__((used)) /* only the linker knows who calls it */

enum { PLACES = 1 << 21 };

struct block {
    uintptr_t address; /* 0: empty */
    size_t size;
};

static struct block *table; /* made by the first check; pages are touched as needed */
static size_t in_use, in_use_bytes;
static bool counting;
static atomic_flag lock = ATOMIC_FLAG_INIT;
static atomic_uint allocation_fuse, mapping_fuse, thread_fuse;
static atomic_bool blown;

static size_t place_of(uintptr_t address)
{
    return (size_t)((address >> 4) * 0x9e3779b97f4a7c15ULL >> 43) & (PLACES - 1);
}

static void take(void)
{
    while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire)) {
    }
}

static void give(void)
{
    atomic_flag_clear_explicit(&lock, memory_order_release);
}

static void enter(void *p, size_t size)
{
    if (!counting || p == NULL)
        return;
    take();
    if (in_use < PLACES / 2) {
        size_t i = place_of((uintptr_t)p);
        while (table[i].address != 0)
            i = (i + 1) & (PLACES - 1);
        table[i] = (struct block){(uintptr_t)p, size};
        in_use++;
        in_use_bytes += size;
    }
    give();
}

static void leave(void *p)
{
    if (!counting || p == NULL)
        return;
    take();
    size_t i = place_of((uintptr_t)p);
    while (table[i].address != 0 && table[i].address != (uintptr_t)p)
        i = (i + 1) & (PLACES - 1);
    if (table[i].address != 0) {
        in_use--;
        in_use_bytes -= table[i].size;
        for (size_t j = (i + 1) & (PLACES - 1); table[j].address != 0; j = (j + 1) & (PLACES - 1)) {
            size_t home = place_of(table[j].address);
            if (((j - home) & (PLACES - 1)) >= ((j - i) & (PLACES - 1))) {
                table[i] = table[j];
                i = j;
            }
        }
        table[i] = (struct block){0};
    }
    give();
}

void allocation_begin(void)
{
    void *fresh = __real_mmap(NULL, PLACES * sizeof *table, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table != NULL)
        munmap(table, PLACES * sizeof *table);
    table = fresh == MAP_FAILED ? NULL : fresh;
    counting = table != NULL;
    in_use = in_use_bytes = 0;
    allocation_fuse = mapping_fuse = thread_fuse = 0;
    blown = false;
}

size_t allocation_left(size_t *bytes, size_t *first)
{
    take();
    size_t blocks = counting ? in_use : 0;
    *bytes = in_use_bytes;
    if (first != NULL)
        *first = 0;
    for (size_t i = 0; i < PLACES && blocks > 0 && first != NULL; i++) /* that takes a while */
        if (table[i].address != 0) {
            *first = table[i].size;
            break;
        }
    give();
    return blocks;
}

/* --- refusing ------------------------------------------------------------------------------- */

void fail_allocation(unsigned nth)
{
    blown = false;
    allocation_fuse = nth;
}

void fail_mapping(unsigned nth)
{
    blown = false;
    mapping_fuse = nth;
}

void fail_thread(unsigned nth)
{
    blown = false;
    thread_fuse = nth;
}

bool allocation_failed(void)
{
    allocation_fuse = mapping_fuse = thread_fuse = 0;
    return blown;
}

static bool burns_down(atomic_uint *fuse)
{
    if (atomic_load(fuse) == 0 || atomic_fetch_sub(fuse, 1) != 1)
        return false;
    blown = true;
    errno = ENOMEM;
    return true;
}

WRAPPED void *__wrap_malloc(size_t size)
{
    if (burns_down(&allocation_fuse))
        return NULL;
    void *p = __real_malloc(size);
    enter(p, size);
    return p;
}

WRAPPED void *__wrap_calloc(size_t n, size_t size)
{
    if (burns_down(&allocation_fuse))
        return NULL;
    void *p = __real_calloc(n, size);
    enter(p, n * size);
    return p;
}

WRAPPED void *__wrap_realloc(void *old, size_t size)
{
    if (burns_down(&allocation_fuse))
        return NULL;
    leave(old); /* before: the address may be another's in the next moment */
    void *p = __real_realloc(old, size);
    enter(p, size);
    return p;
}

WRAPPED void __wrap_free(void *p)
{
    leave(p);
    __real_free(p);
}

/* Unlike the others this one stays refused: stacks are asked for again and again, each time less.
 */
WRAPPED void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd,
                          off_t offset)
{
    if (burns_down(&mapping_fuse)) {
        mapping_fuse = 1;
        return MAP_FAILED;
    }
    return __real_mmap(address, size, protection, flags, fd, offset);
}

WRAPPED int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                                  void *(*fn)(void *), void *arg)
{
    if (burns_down(&thread_fuse))
        return EAGAIN;
    return __real_pthread_create(thread, attributes, fn, arg);
}
