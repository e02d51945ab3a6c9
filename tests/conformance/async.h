/**
 * @file async.h
 * @brief What the levels futures, tasks, loop and io share: one interpreter, and the world it acts
 * on.
 */
#ifndef ASYNC_H
#define ASYNC_H

#include "dispatcher.h"
#include "generator.h"
#include "loop.h"
#include "program.h"
#include "task.h"

enum { LEVEL_FUTURES = 1, LEVEL_TASKS, LEVEL_LOOP, LEVEL_IO };
enum { SLOTS = 10, FOREIGN = 9, HANDLES = 32, NUMBERS = 400 };

/** A callback of the program: its address is what is compared when it is removed. */
struct script {
    const struct node *actions;
    int number;
};

struct world {
    int level;
    struct dispatcher *dispatcher;
    struct task_loop *loop; /**< NULL on the queue. */
    const struct node *bodies;
    struct script *callbacks;
    size_t n_callbacks;
    struct future *slots[SLOTS];
    struct handle handles[HANDLES];
    bool dropped; /**< A generator would not end, and what its body held is lost. */
    int inner;    /**< Generators made to be delegated to. */
    bool inexact; /**< How many callbacks ran depends on what chains and combinators queue. */
};
extern struct world world;

/** The queue that the futures and tasks of levels without a loop are made on. */
struct dispatcher *queue_new(void);
/** Runs what is queued now; answers how many ran. */
int queue_turn(struct dispatcher *d);
void queue_close(struct dispatcher *d);
void queue_free(struct dispatcher *d);

/** A poller on which a day takes no time. */
struct poller *virtual_poller_new(void);

/** Prints a problem. */
void report(const struct problem *problem);

/** Says how many callbacks of the program ran, or an error. */
void ran(int n);

/** The number of a future, in the order in which they were made. */
int number_of(const struct future *f);
/** A new future goes into a slot; what stood there is dropped. */
void put(int slot, struct future *f);
/** The future that an operand means, or NULL. */
struct future *pick_future(int i);
/** The callback that an operand means; NULL if the program has none. */
struct script *pick_callback(int i);
/** Runs a callback's actions. */
int run_actions(const struct script *script);

/** The operations of loops and of descriptors; false if it is none of theirs. */
bool act_loop(const struct node *st);
bool act_io(const struct node *st);
/** The statements of bodies on descriptors; as block() in async.c: false if it is none. */
bool body_io(int self, const struct node *st, int *error);
void io_begin(const struct node *program);
void io_end(void);

#endif
