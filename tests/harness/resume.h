/**
 * @file resume.h
 * @brief Steps and expectations in one: next_yields(g, value_int(5)).
 *
 * Each resumes the generator once, records the step, and expects what its name says.
 */
#ifndef RESUME_H
#define RESUME_H

#include "harness.h"

#define HARNESS_RESUME(expectation, call, wanted, ...) \
    do { \
        value out_ = value_int(-99); \
        step(__VA_ARGS__); \
        int status_ = call; \
        expectation(status_, out_, wanted); \
    } while (0)

#define next_yields(g, want) \
    HARNESS_RESUME(expect_yields, gen_next(g, &out_), want, "gen_next(%s)", #g)
#define next_returns(g, want) \
    HARNESS_RESUME(expect_returns, gen_next(g, &out_), want, "gen_next(%s)", #g)
#define next_raises(g, error) \
    HARNESS_RESUME(expect_raises, gen_next(g, &out_), error, "gen_next(%s)", #g)

#define send_yields(g, in, want) \
    HARNESS_RESUME(expect_yields, gen_send(g, in, &out_), want, "gen_send(%s, %s)", #g, #in)
#define send_returns(g, in, want) \
    HARNESS_RESUME(expect_returns, gen_send(g, in, &out_), want, "gen_send(%s, %s)", #g, #in)
#define send_raises(g, in, error) \
    HARNESS_RESUME(expect_raises, gen_send(g, in, &out_), error, "gen_send(%s, %s)", #g, #in)

#define throw_yields(g, thrown, want) \
    HARNESS_RESUME(expect_yields, gen_throw(g, thrown, &out_), want, "gen_throw(%s, %s)", #g, \
                   #thrown)
#define throw_returns(g, thrown, want) \
    HARNESS_RESUME(expect_returns, gen_throw(g, thrown, &out_), want, "gen_throw(%s, %s)", #g, \
                   #thrown)
#define throw_raises(g, thrown, error) \
    HARNESS_RESUME(expect_raises, gen_throw(g, thrown, &out_), error, "gen_throw(%s, %s)", #g, \
                   #thrown)

/* gen_close() answers 0 and this value; or this error, and None. */
#define close_returns(g, want) \
    HARNESS_RESUME(expect_returns, gen_close(g, &out_), want, "gen_close(%s)", #g)
#define close_raises(g, error) \
    HARNESS_RESUME(expect_raises, gen_close(g, &out_), error, "gen_close(%s)", #g)

#endif
