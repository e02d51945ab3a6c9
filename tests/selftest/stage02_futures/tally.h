/**
 * @file tally.h
 * @brief What the checks of the harness itself are about.
 */
#ifndef TALLY_H
#define TALLY_H

int tally_of(int a, int b);
int tally_double(int a);
int tally_twice(int a);

#endif
