/**
 * @file kernel_io.h
 * @brief The course's kernel learns to wait for descriptors: ReadWait and WriteWait.
 *
 * Nothing of the kernel changes: two more system calls, and a selector in its idle function.
 */
#ifndef KERNEL_IO_H
#define KERNEL_IO_H

#include "kernel.h"
#include "selector.h"

/** @defgroup kernel_io Kernel I/O
 *  @brief ReadWait, WriteWait.
 *  @{ */

/**
 * Gives a kernel a selector; it ends with the kernel.
 * @param kernel not NULL. @param kind which selector.
 * @retval 0 done. @retval ERR_BUSY it has somebody who waits for it already. @return otherwise as
 * selector_new().
 */
MUST_CHECK int kernel_io_attach(struct kernel *kernel, enum selector_kind kind);

/**
 * Inside a task of a kernel that has a selector: waits until @p fd can be read; reads nothing (row
 * P11).
 * @param fd a descriptor.
 * @retval 0 ready. @retval ERR_BUSY another task waits there (P19). @retval ERR_VALUE, -EBADF as
 * selector_wait(). @retval ERR_RUNTIME the kernel has no selector. @return or an error thrown in:
 * ERR_GENERATOR_EXIT when killed.
 */
MUST_CHECK int sys_read_wait(int fd);

/** The same for writing. @param fd a descriptor. @return as sys_read_wait(). */
MUST_CHECK int sys_write_wait(int fd);

/** To be called by a task of the kernel before close(@p fd): who waits there gets -EBADF.
 *  @param fd a descriptor. @return 0, or an error thrown in. */
MUST_CHECK int sys_forget(int fd);

/** @} */
#endif
