/* The Raspberry Pi's port and its thread, from the sources that ship, with each store recorded in
 * place of made: two words, the register's place and the mask. */

#include <stddef.h>
#include <stdint.h>

static void record(uint32_t place, uint32_t mask);
#define PI_STORE(port, place, mask) record(place, mask)

#include "pi_thread.h"

static uint32_t *next, *end;
static int changes_only; /* leave out what changes nothing: a mask of 0, and a store made again */

static void record(uint32_t place, uint32_t mask)
{
    if (next == end || (changes_only && (!mask || (next[-2] == place && next[-1] == mask))))
        return;
    *next++ = place;
    *next++ = mask;
}

/* One frame; returns the words of the log that are used, or an error. Recorded from the third word
 * on: the first two are what no store is. */
long trace(
    struct scan_words program,
    struct scan_words description,
    uint32_t repeats,
    uint32_t only_changes,
    struct scan_words log)
{
    struct port port = {.repeats = repeats};
    next = log.words + 2;
    end = log.words + log.bytes / 8 * 2;
    changes_only = (int)only_changes;
    int32_t error = scan_play(&port, &program, &description);
    return error ? error : next - log.words;
}

/* The thread, `rounds` times: two pictures are offered in turn, as fast as it goes, while it plays;
 * then one or the other, until a whole frame of it was played. `pictures` is both; `slots` has room
 * for three programs and copies of the description. Returns as trace(); when the log is full the
 * rest is not recorded. */
long trace_thread(
    const uint8_t *pictures,
    size_t picture_bytes,
    uint32_t rounds,
    struct scan_words description,
    struct scan_words slots,
    struct scan_words log)
{
    static struct refresh thread;
    size_t words = slots.bytes / SLOTS / 4, own = description.bytes / 4;
    next = log.words + 2;
    end = log.words + log.bytes / 8 * 2;
    changes_only = 1;
    thread =
        (struct refresh){.port = {.repeats = 1}, .period_ns = 1000000, .back = 1, .offered = 2};
    for (int i = 0; i < SLOTS; i++) {
        uint32_t *at = slots.words + i * words;
        thread.slots[i].description = (struct scan_words){at, description.bytes};
        thread.slots[i].program = (struct scan_words){at + own, 4 * (words - own)};
        for (size_t word = 0; word < own; word++)
            at[word] = description.words[word];
    }
    int32_t error = start_thread(&thread);
    for (uint32_t round = 0; !error && round < rounds; round++) {
        uint32_t lit = description.words[SCAN_LIT], enough = atomic_load(&thread.frames) + 2;
        for (uint32_t i = round; !error && atomic_load(&thread.frames) < enough; i++)
            error = offer_picture(&thread, pictures + i % 2 * picture_bytes, picture_bytes, lit);
        if (!error)
            error =
                offer_picture(&thread, pictures + round % 2 * picture_bytes, picture_bytes, lit);
        /* The frame that is played now may be of another. */
        enough = atomic_load(&thread.frames) + 2;
        while (!error && atomic_load(&thread.frames) < enough)
            sched_yield();
    }
    stop_thread(&thread);
    return error ? error : next - log.words;
}
