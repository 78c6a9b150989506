/* A thread that plays a panel's frames, one a period, and the exchange of pictures with it.
 *
 * Here: the thread, its times and counters, and the slots. Never in this file: Python, or what a
 * store is (pi_port.h).
 *
 * Three slots hold a picture's program each: the thread's, the caller's, and the one offered last.
 * Both sides only exchange theirs for the offered one, so neither waits for the other, and the
 * thread goes over to a new picture between two frames.
 */
#ifndef HALLKIT_PI_THREAD_H
#define HALLKIT_PI_THREAD_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "pi_port.h"
#define SCAN_API static
#include "scan.c"

/* What is offered: the slot's number, and FRESH until the thread has it. */
enum { SLOTS = 3, FRESH = 4 };

struct slot {
    struct scan_words program, description;
};

struct refresh {
    struct port port;
    int64_t period_ns;
    struct slot slots[SLOTS];
    int back;  /* the caller's slot */
    int front; /* the thread's */
    atomic_int offered, stop;
    int64_t dark_since; /* the end of the last frame, 0 before the first */
    atomic_uint repeats, frames, late, gap_us, frame_us;
    pthread_t thread;
    pid_t process; /* that has the thread: a fork has none */
    int running, realtime;
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sleep_until(int64_t ns)
{
    struct timespec until = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

/* Makes stores slow enough for what the bus does now; takes some 20 us, in the dark. Other work
 * only delays them, and the bus of some boards is faster under load: so the fastest run counts. */
static void slow_down(struct refresh *self)
{
    enum { PAIRS = 200 };
    struct port *port = &self->port;
    int64_t start = now_ns();
    rest(port, PAIRS);
    int64_t took = now_ns() - start;
    took = took > 0 ? took : 1;
    if (took < PI_PAIR_NS * PAIRS) {
        port->repeats = (uint32_t)((port->repeats * (int64_t)PI_PAIR_NS * PAIRS + took - 1) / took);
        atomic_store(&self->repeats, port->repeats);
    }
}

static void keep_longest(atomic_uint *longest_us, int64_t ns)
{
    unsigned us = (unsigned)(ns / 1000);
    if (us > atomic_load(longest_us))
        atomic_store(longest_us, us);
}

/* One frame of the newest picture, if there was one. */
static void play_frame(struct refresh *self)
{
    if (atomic_load(&self->offered) & FRESH)
        self->front = atomic_exchange(&self->offered, self->front) & ~FRESH;
    struct slot *slot = &self->slots[self->front];
    int64_t start = now_ns();
    /* Before the first picture the slot has no program, and that is all that can be wrong. */
    if (scan_play(&self->port, &slot->program, &slot->description))
        return;
    if (self->dark_since)
        keep_longest(&self->gap_us, start - self->dark_since);
    self->dark_since = now_ns();
    keep_longest(&self->frame_us, self->dark_since - start);
    atomic_fetch_add(&self->frames, 1);
}

static void *refresh(void *argument)
{
    struct refresh *self = argument;
    int64_t due = now_ns();
    while (!atomic_load(&self->stop)) {
        play_frame(self);
        slow_down(self);
        due += self->period_ns;
        /* Frames whose time has passed are left out: what comes at once would not be seen. */
        int64_t behind = now_ns() - due;
        if (behind >= 0) {
            int64_t left_out = behind / self->period_ns + 1;
            atomic_fetch_add(&self->late, (unsigned)left_out);
            due += left_out * self->period_ns;
        }
        sleep_until(due);
    }
    scan_play(&self->port, NULL, &self->slots[self->front].description);
    return NULL;
}

/* Returns an errno. Signals are for Python's threads; and the thread goes before all others where
 * that is allowed, because a row is lit as long as it is kept from going on. */
static int start_thread(struct refresh *self)
{
    sigset_t all, before;
    struct sched_param lowest = {.sched_priority = 1};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&self->thread, NULL, refresh, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error) {
        self->process = getpid();
        self->running = 1;
        self->realtime = pthread_setschedparam(self->thread, SCHED_FIFO, &lowest) == 0;
    }
    return error;
}

/* Returns when the panel is dark, within a period and a frame. */
static void stop_thread(struct refresh *self)
{
    if (self->process != getpid())
        return;
    atomic_store(&self->stop, 1);
    pthread_join(self->thread, NULL);
}

/* From the next frame on, each row is lit for `lit` pairs. Returns an error of scan_build: the
 * picture stays what it was. */
static int32_t offer_picture(
    struct refresh *self, const uint8_t *picture, size_t bytes, uint32_t lit)
{
    struct slot *slot = &self->slots[self->back];
    slot->description.words[SCAN_LIT] = lit;
    int32_t result = scan_build(&slot->program, picture, bytes, &slot->description);
    if (result < 0)
        return result;
    self->back = atomic_exchange(&self->offered, self->back | FRESH) & ~FRESH;
    return 0;
}

#endif
