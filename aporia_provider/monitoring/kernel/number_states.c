/*
 * States of numeric columns by time bucket: the computation of NumericState.of in C, with equal results to the last
 * bit. All sums are exact, so neither the order of the rows nor vector instructions change them.
 *
 * It must be compiled without contraction of products and sums (-ffp-contract=off) and without -ffast-math.
 */

#include "exact_sums.h"
#include "rows.h"

/* Places of the table of cells. */
enum { CELLS = 2048 };

/*
 * Bins. No bins: count is 0.
 *
 * edges: the edges, followed by infinities: in total at least count + 2**steps.
 * starts: for each cell, the number of edges in lower cells.
 * steps: such that no cell has 2**steps edges.
 * shift: 0 if cells are linear in the values; otherwise linear in their bits, without the last ones.
 */
typedef struct {
    const double *edges;
    uint16_t *starts;
    int64_t count;
    int64_t steps;
    int64_t shift;
    double first, last, scale;
    double centre, unit;
} Grid;

/* Number of searches at a time. */
enum { LANES = 8 };

enum { NEGATIVE, POSITIVE, SQUARES, BELOW, ABOVE, SUMS };

typedef struct {
    int64_t nulls, nans, positive_infinities, negative_infinities, zeros, finite;
    double least, greatest;
    uint64_t sums[SUMS][LIMBS];
} State;

/* Copy the values of at most BLOCK rows that are not null, and return their number. */
INLINE int gather(const Column *column, const int32_t *order, int64_t start, int rows, double *found) {
    const double *values = column->values;
    int count = 0;
    if (!column->valid && !order) {
        memcpy(found, values + start, (size_t)rows * sizeof *found);
        return rows;
    }
    if (!column->valid) {
        for (int i = 0; i < rows; i++) {
            found[i] = values[order[start + i]];
        }
        return rows;
    }
    for (int i = 0; i < rows; i++) {
        int64_t row = order ? order[start + i] : start + i;
        found[count] = values[row];
        count += is_valid(column, row);
    }
    return count;
}

/* Count the values that are not finite and remove them; return the number of the others. */
INLINE int keep_finite(State *state, double *values, int count) {
    int64_t others = 0;
    for (int i = 0; i < count; i++) {
        others += (bits_of(values[i]) << 1) >= (UINT64_C(0x7ff) << 53);
    }
    if (!others) {
        return count;
    }
    int64_t nans = 0, positive = 0, negative = 0;
    for (int i = 0; i < count; i++) {
        nans += values[i] != values[i];
        positive += values[i] > DBL_MAX;
        negative += values[i] < -DBL_MAX;
    }
    state->nans += nans;
    state->positive_infinities += positive;
    state->negative_infinities += negative;
    int kept = 0;
    for (int i = 0; i < count; i++) {
        double value = values[i];
        values[kept] = value;
        kept += (bits_of(value) << 1) < (UINT64_C(0x7ff) << 53);
    }
    return kept;
}

INLINE double greater(double one, double other) {
    return one > other ? one : other;
}

/* Replace an infinite distance by the largest double. */
INLINE double bounded(double distance) {
    return distance < DBL_MAX ? distance : DBL_MAX;
}

INLINE void add_values(State *state, const double *values, int count, double least, double greatest) {
    double parts[BLOCK];
    if (least >= 0) {
        add_block(state->sums[POSITIVE], values, count, greatest);
        return;
    }
    for (int i = 0; i < count; i++) {
        parts[i] = values[i] < 0 ? -values[i] : 0;
    }
    add_block(state->sums[NEGATIVE], parts, count, -least);
    if (greatest > 0) {
        for (int i = 0; i < count; i++) {
            parts[i] = values[i] > 0 ? values[i] : 0;
        }
        add_block(state->sums[POSITIVE], parts, count, greatest);
    }
}

INLINE double square(double value, double centre, double unit) {
    double distance = (value - centre) / unit;
    return bounded(distance * distance);
}

INLINE void add_squares(
    State *state, const Grid *grid, const double *values, int count, double least, double greatest
) {
    double squares[BLOCK], centre = grid->centre, unit = grid->unit;
    if (unit == 1) {
        for (int i = 0; i < count; i++) {
            squares[i] = square(values[i], centre, 1);
        }
    } else {
        for (int i = 0; i < count; i++) {
            squares[i] = square(values[i], centre, unit);
        }
    }
    /* Rounded differences, quotients and products are monotone, so the greatest is at an end. */
    add_block(
        state->sums[SQUARES], squares, count, greater(square(least, centre, unit), square(greatest, centre, unit))
    );
}

INLINE void add_outer(
    State *state, const Grid *grid, const double *values, int count, double least, double greatest
) {
    double distances[BLOCK], first = grid->edges[0], last = grid->edges[grid->count - 1];
    if (least < first) {
        for (int i = 0; i < count; i++) {
            distances[i] = values[i] < first ? bounded(first - values[i]) : 0;
        }
        add_block(state->sums[BELOW], distances, count, bounded(first - least));
    }
    if (greatest > last) {
        for (int i = 0; i < count; i++) {
            distances[i] = values[i] > last ? bounded(values[i] - last) : 0;
        }
        add_block(state->sums[ABOVE], distances, count, bounded(greatest - last));
    }
}

/*
 * Return the cell of a value: a function that never decreases from values to the places of a table. Which of the two
 * functions is used depends on the edges: one is linear, the other linear in the bits, and so in the logarithm.
 */
INLINE uint32_t linear_cell(const Grid *grid, double value) {
    double place = (value - grid->first) * grid->scale;
    place = place > 0 ? place : 0;
    return (uint32_t)(int32_t)(place < CELLS - 1 ? place : CELLS - 1);
}

INLINE uint32_t bit_cell(const Grid *grid, double value) {
    int64_t order = order_of(value), first = order_of(grid->first), last = order_of(grid->last);
    order = order > first ? order : first;
    order = order < last ? order : last;
    return (uint32_t)(((uint64_t)order - (uint64_t)first) >> grid->shift);
}

INLINE uint32_t cell_of(const Grid *grid, double value) {
    return grid->shift ? bit_cell(grid, value) : linear_cell(grid, value);
}

/*
 * Count values by bin: the number of edges that are not greater. Those in lower cells are known from a table, the others
 * are searched for without branches that depend on values. A few searches at a time hide the latency of each.
 */
INLINE void count_bins(const Grid *grid, const double *values, int count, int64_t *counts) {
    uint32_t places[BLOCK + LANES];
    const double *edges = grid->edges;
    if (grid->shift) {
        for (int i = 0; i < count; i++) {
            places[i] = bit_cell(grid, values[i]);
        }
    } else {
        for (int i = 0; i < count; i++) {
            places[i] = linear_cell(grid, values[i]);
        }
    }
    for (int i = 0; i < LANES; i++) {
        places[count + i] = 0;
    }
    for (int i = 0; i < count; i += LANES) {
        for (int lane = 0; lane < LANES; lane++) {
            places[i + lane] = grid->starts[places[i + lane]];
        }
        for (int step = (int)grid->steps - 1; step >= 0; step--) {
            for (int lane = 0; lane < LANES; lane++) {
                uint32_t place = places[i + lane], middle = place + (1u << step);
                places[i + lane] = edges[middle - 1] <= values[i + lane] ? middle : place;
            }
        }
    }
    for (int i = 0; i < count; i++) {
        counts[places[i]]++;
    }
}

INLINE void add_finite(State *state, int64_t *counts, const Grid *grid, const double *values, int count) {
    int64_t first = INT64_MAX, last = INT64_MIN, zeros = 0;
    for (int i = 0; i < count; i++) {
        int64_t order = order_of(values[i]);
        first = order < first ? order : first;
        last = order > last ? order : last;
        zeros += (bits_of(values[i]) << 1) == 0;
    }
    /* Adding 0.0 makes a negative zero positive. */
    double least = value_at(first) + 0.0, greatest = value_at(last) + 0.0;
    state->least = state->finite && state->least <= least ? state->least : least;
    state->greatest = state->finite && state->greatest >= greatest ? state->greatest : greatest;
    state->zeros += zeros;
    state->finite += count;
    add_values(state, values, count, least, greatest);
    add_squares(state, grid, values, count, least, greatest);
    if (grid->count) {
        add_outer(state, grid, values, count, least, greatest);
        count_bins(grid, values, count, counts);
    }
}

/* Add the rows of one run to a state. values: memory for BLOCK + LANES values. */
INLINE void add_run(
    const Column *column, const int32_t *order, int64_t start, int64_t end, const Grid *grid, State *state,
    int64_t *counts, double *values
) {
    for (; start < end; start += BLOCK) {
        int rows = (int)(end - start < BLOCK ? end - start : BLOCK);
        int present = gather(column, order, start, rows, values);
        state->nulls += rows - present;
        present = keep_finite(state, values, present);
        if (present) {
            add_finite(state, counts, grid, values, present);
        }
    }
}

/*
 * Add a column to states.
 *
 * states: one for each slot, all of whose bits are zero at first.
 * counts: the bins of each slot, one more than the grid has edges.
 */
EXPORTED VECTORIZED void aporia_add_numbers(
    const Column *column, const Runs *runs, const Grid *grid, State *states, int64_t *counts
) {
    double values[BLOCK + LANES] = {0};
    int64_t start = runs->first, width = grid->count + 1;
    for (int64_t run = 0; run < runs->count; run++) {
        int64_t slot = runs->slots[run];
        add_run(column, runs->order, start, runs->ends[run], grid, states + slot, counts + slot * width, values);
        start = runs->ends[run];
    }
}

/* Add an unsigned integer of LIMBS words to another. */
INLINE void add_limbs(uint64_t *limbs, const uint64_t *added) {
    unsigned carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        /* Most words are zero. */
        if (!added[i] && !carry) {
            continue;
        }
        uint64_t sum = limbs[i] + added[i], total = sum + carry;
        carry = (sum < added[i]) | (total < sum);
        limbs[i] = total;
    }
}

/* Add a state to another. */
INLINE void add_state(State *state, const State *added) {
    state->nulls += added->nulls;
    state->nans += added->nans;
    state->positive_infinities += added->positive_infinities;
    state->negative_infinities += added->negative_infinities;
    if (!added->finite) {
        return;
    }
    state->least = state->finite && state->least <= added->least ? state->least : added->least;
    state->greatest = state->finite && state->greatest >= added->greatest ? state->greatest : added->greatest;
    state->zeros += added->zeros;
    state->finite += added->finite;
    for (int sum = 0; sum < SUMS; sum++) {
        add_limbs(state->sums[sum], added->sums[sum]);
    }
}

/*
 * Add a column to states, where the rows of a run belong to several slots.
 *
 * runs: without slots.
 * ends, slots: the slots of all runs, and where those of each run end.
 * run_state, run_counts: memory for the state of a run.
 */
EXPORTED VECTORIZED void aporia_add_numbers_to_several(
    const Column *column, const Runs *runs, const Grid *grid, State *states, int64_t *counts, const int64_t *ends,
    const int32_t *slots, State *run_state, int64_t *run_counts
) {
    double values[BLOCK + LANES] = {0};
    int64_t start = runs->first, width = grid->count + 1, place = 0;
    for (int64_t run = 0; run < runs->count; run++) {
        memset(run_state, 0, sizeof *run_state);
        memset(run_counts, 0, (size_t)width * sizeof *run_counts);
        add_run(column, runs->order, start, runs->ends[run], grid, run_state, run_counts, values);
        for (; place < ends[run]; place++) {
            int64_t *of_slot = counts + slots[place] * width;
            add_state(states + slots[place], run_state);
            for (int64_t bin = 0; bin < width; bin++) {
                of_slot[bin] += run_counts[bin];
            }
        }
        start = runs->ends[run];
    }
}

/* Fill the table of cells; return the necessary steps of the search. */
static int fill_cells(Grid *grid) {
    int64_t most = 0, place = 0;
    for (uint32_t cell = 0; cell < CELLS; cell++) {
        int64_t start = place;
        while (place < grid->count && cell_of(grid, grid->edges[place]) <= cell) {
            place++;
        }
        grid->starts[cell] = (uint16_t)start;
        most = place - start > most ? place - start : most;
    }
    int steps = 0;
    while (most >> steps) {
        steps++;
    }
    return steps;
}

/* Prepare a grid of which edges, starts and count are given: choose the cells that need less steps. */
EXPORTED void aporia_prepare_grid(Grid *grid) {
    grid->first = grid->edges[0];
    grid->last = grid->edges[grid->count - 1];
    double scale = CELLS / (grid->last - grid->first);
    grid->scale = scale <= DBL_MAX ? scale : 0;
    grid->shift = 0;
    int linear = fill_cells(grid);
    grid->shift = 1;
    uint64_t range = (uint64_t)order_of(grid->last) - (uint64_t)order_of(grid->first);
    while (range >> grid->shift >= CELLS) {
        grid->shift++;
    }
    grid->steps = fill_cells(grid);
    if (linear <= grid->steps) {
        grid->shift = 0;
        grid->steps = fill_cells(grid);
    }
}
