/* The ids that belong to the samples of their buckets. */

#include "rows.h"

/*
 * Keep the ids whose last bits are zero, as many as the level of the sample of their bucket.
 *
 * levels, nulls: for each slot, the level, and a count to which that of the nulls is added.
 * kept, ends: the ids that are kept, and for each run the end of its ids.
 */
EXPORTED void aporia_filter_ids(
    const Column *column, const Runs *runs, const int32_t *levels, int64_t *nulls, int64_t *kept, int64_t *ends
) {
    const int64_t *ids = column->values;
    int64_t count = 0, place = runs->first;
    for (int64_t run = 0; run < runs->count; run++) {
        int32_t slot = runs->slots[run];
        uint64_t mask = (UINT64_C(1) << levels[slot]) - 1;
        int64_t missing = 0;
        for (; place < runs->ends[run]; place++) {
            int64_t row = runs->order ? runs->order[place] : place;
            int valid = is_valid(column, row);
            kept[count] = ids[row];
            count += valid & (((uint64_t)ids[row] & mask) == 0);
            missing += !valid;
        }
        nulls[slot] += missing;
        ends[run] = count;
    }
}
