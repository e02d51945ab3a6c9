/*
 * Runs programs on our library and prints what they did. One process runs thousands of them:
 *
 *     driver FILE [--flush]
 *
 * FILE has one program in each line; what a program did stands between a line "#N" and the next
 * one. With --flush every line is written at once, so that the one that crashed can be found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>

#include "program.h"

static level_fn *const levels[] = {run_generators, run_async, run_async,
                                   run_async,      run_async, run_kernel};

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "conformance: usage: driver FILE [--flush]\n");
        return 2;
    }
    FILE *file = fopen(argv[1], "r");
    if (file == NULL) {
        fprintf(stderr, "conformance: cannot read %s\n", argv[1]);
        return 2;
    }
    bool flush = argc > 2 && strcmp(argv[2], "--flush") == 0;
    static char buffer[1 << 16];
    setvbuf(stdout, buffer, flush ? _IOLBF : _IOFBF, sizeof buffer);
    signal(SIGPIPE, SIG_IGN);
    static const char *const error_names[] = {"E0", "E1", "E2", "E3"};
    for (int i = 0; i < 4; i++)
        if (error_register(user_error(i), error_names[i], "an error of a random program"))
            return 2;
    char *line = NULL;
    size_t room = 0, number_of_line = 0;
    while (getline(&line, &room, file) > 0) {
        if (line[0] == '\n' || line[0] == '#')
            continue;
        const struct node *program = program_parse(line, ++number_of_line);
        int level = number(program, 0);
        if (level < 0 || level >= (int)(sizeof levels / sizeof levels[0])) {
            fprintf(stderr, "conformance: program %zu: level %d does not exist\n",
                    number_of_line, level);
            return 2;
        }
        printf("#%zu\n", number_of_line - 1);
        budget = 1500;
        levels[level](program);
        program_free();
    }
    free(line);
    fclose(file);
    return fflush(stdout) == 0 ? 0 : 2;
}
