/*
 * Threads are counted as they come.
 */
#include "thread.h"

_Thread_local uint32_t this_thread;

void thread_introduce(void)
{
    static _Atomic uint32_t threads;
    if (this_thread == 0)
        this_thread = ++threads;
}
