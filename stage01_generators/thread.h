/**
 * @file thread.h
 * @brief Which thread this is.
 *
 * Private to the library. A generator and a loop belong to one thread, and find out when another
 * one comes. An address of the thread's own would do as its mark, if the next thread did not
 * often get the memory of one that has ended, and with it the mark.
 */
#ifndef THREAD_H
#define THREAD_H

#include <stdint.h>

/** The number of this thread, which no other ever has; 0: it has none yet. */
extern _Thread_local uint32_t thread_self;

/** Gives this thread a number if it has none. */
void thread_introduce(void);

#endif
