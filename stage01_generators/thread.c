/*
 * Threads are counted as they come.
 */
#include "thread.h"

_Thread_local uint32_t thread_self;

void thread_introduce(void)
{
    static _Atomic uint32_t threads;
    if (thread_self == 0)
        thread_self = ++threads;
}
