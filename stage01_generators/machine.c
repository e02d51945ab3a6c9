/*
 * One function, entered again and again: a switch jumps to where the last call left off. Note that
 * a label may stand inside the loop: C allows it, and it is the whole trick.
 */
#include "machine.h"

#include "generator.h"

void machine_init(struct machine *m, intptr_t n)
{
    *m = (struct machine){.resume_at = 0, .n = n};
}

int machine_next(struct machine *m, value *out)
{
    *out = value_none();
    /* EXERCISE 1.1 machine_next: go on where the last step stopped */
    switch (m->resume_at) {
    case 0:
        while (m->n > 0) {
            m->resume_at = 1;
            *out = value_int(m->n);
            return GEN_NEXT; /* the "yield" … */
    case 1:                  /* … and where the next step goes on */
            m->n--;
        }
        m->resume_at = -1;
    }
    return GEN_RETURN;
    /* END 1.1 */
}
