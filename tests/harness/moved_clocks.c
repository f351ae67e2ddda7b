/* Moves two clocks of one process by what stands in a file: seconds for CLOCK_REALTIME, seconds for CLOCK_BOOTTIME. CLOCK_MONOTONIC,
 * by which timers run, stays: so it is on a machine that was suspended, or whose calendar was set. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static int (*kernels)(clockid_t, struct timespec *);
static volatile const int64_t *moved;

__attribute__((constructor)) static void begin(void) {
    kernels = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("MOVED_CLOCKS");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *memory = file < 0 ? MAP_FAILED : mmap(NULL, 2 * sizeof *moved, PROT_READ, MAP_SHARED, file, 0);
    /* A campaign with clocks that do not move would prove nothing. */
    if (!kernels || memory == MAP_FAILED) abort();
    moved = memory;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!kernels) begin();
    int result = kernels(clock, time);
    if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += moved[0];
    if (result == 0 && clock == CLOCK_BOOTTIME) time->tv_sec += moved[1];
    return result;
}
