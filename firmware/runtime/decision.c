#include "decision.h"

static bool within(uint32_t value, uint32_t low, uint32_t high)
{
    return low <= value && value <= high;
}

static tg_decision_rule check_codes(const tg_decision_config *config)
{
    for (uint32_t k = 0; k < config->outputs; k++) {
        const tg_decision_codes *codes = &config->codes[k];
        if (config->hysteresis && codes->exit >= codes->enter) {
            return TG_DECISION_BAD_EXIT;
        }
        const bool is_empty = codes->reject_from == codes->reject_to;
        if (!is_empty && (codes->enter < codes->reject_from || codes->enter > codes->reject_to)) {
            return TG_DECISION_BAD_REJECT;
        }
    }
    return TG_DECISION_FINE;
}

static tg_decision_rule check_numbers(const tg_decision_config *config)
{
    if (config->margin > 0 && (config->pick != TG_PICK_HIGHEST || config->outputs < 2)) {
        return TG_DECISION_BAD_MARGIN;
    }
    if (!within(config->average, 1, TG_DECISION_MAX_AVERAGE)) {
        return TG_DECISION_BAD_AVERAGE;
    }
    if (!within(config->need, 1, config->of) || config->of > TG_DECISION_MAX_OF) {
        return TG_DECISION_BAD_VOTE;
    }
    if (!within(config->accumulate, 1, TG_DECISION_MAX_WINDOWS)) {
        return TG_DECISION_BAD_ACCUMULATE;
    }
    if (!within(config->min_hold, 1, TG_DECISION_MAX_WINDOWS)) {
        return TG_DECISION_BAD_HOLD;
    }
    return within(config->cooldown, 1, TG_DECISION_MAX_WINDOWS) ? TG_DECISION_FINE : TG_DECISION_BAD_COOLDOWN;
}

tg_decision_rule tg_decision_check(const tg_decision_config *config)
{
    if (!within(config->outputs, 1, TG_DECISION_MAX_OUTPUTS)) {
        return TG_DECISION_BAD_OUTPUTS;
    }
    if (config->pick != TG_PICK_SEVEREST && config->pick != TG_PICK_HIGHEST) {
        return TG_DECISION_BAD_PICK;
    }
    const tg_decision_rule rule = check_codes(config);
    return rule == TG_DECISION_FINE ? check_numbers(config) : rule;
}

void tg_decision_init(tg_decision *decision, const tg_decision_config *config, int32_t *codes)
{
    *decision = (tg_decision){ .config = config, .codes = codes };
    tg_accumulate_init(&decision->accumulate, config->accumulate);
}

static void remember_codes(tg_decision *decision, const int32_t *codes)
{
    const tg_decision_config *config = decision->config;
    for (uint32_t k = 0; k < config->outputs; k++) {
        decision->codes[decision->next_code * config->outputs + k] = codes[k];
    }
    decision->next_code = (decision->next_code + 1) % config->average;
    decision->n_codes += decision->n_codes < config->average;
}

/* n_codes * s[k]. After a gap the first n_codes rows are the ones that count. */
static int64_t sum_of_codes(const tg_decision *decision, uint32_t k)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < decision->n_codes; i++) {
        sum += decision->codes[i * decision->config->outputs + k];
    }
    return sum;
}

/* Whether a window of `class` speaks for class c. */
static bool counts_for(const tg_decision *decision, uint32_t class, uint32_t c)
{
    return decision->config->pick == TG_PICK_SEVEREST ? class >= c : class == c;
}

static bool reaches(const tg_decision *decision, uint32_t k, int64_t sum)
{
    const tg_decision_config *config = decision->config;
    const bool is_held = config->hysteresis && decision->state > 0 && counts_for(decision, decision->state, k + 1);
    const int32_t limit = is_held ? config->codes[k].exit : config->codes[k].enter;
    return sum >= (int64_t)limit * decision->n_codes;
}

static bool is_in_band(const tg_decision *decision, uint32_t k, int64_t sum)
{
    const tg_decision_codes *codes = &decision->config->codes[k];
    const int64_t n = decision->n_codes;
    return codes->reject_from * n <= sum && sum < codes->reject_to * n;
}

static uint8_t pick_severest(const tg_decision *decision)
{
    uint8_t class = 0;
    for (uint32_t k = 0; k < decision->config->outputs; k++) {
        if (reaches(decision, k, sum_of_codes(decision, k))) {
            class = (uint8_t)(k + 1);
        }
    }
    return class;
}

static uint8_t pick_highest(const tg_decision *decision)
{
    uint32_t best = 0;
    int64_t first = sum_of_codes(decision, 0);
    int64_t second = INT64_MIN;
    for (uint32_t k = 1; k < decision->config->outputs; k++) {
        const int64_t sum = sum_of_codes(decision, k);
        if (sum > first) {
            second = first;
            first = sum;
            best = k;
        } else if (sum > second) {
            second = sum;
        }
    }
    if (!reaches(decision, best, first)) {
        return 0;
    }
    const int64_t margin = (int64_t)decision->config->margin * decision->n_codes;
    return margin > 0 && first - second < margin ? TG_CLASS_UNCERTAIN : (uint8_t)(best + 1);
}

static uint8_t classify(const tg_decision *decision)
{
    for (uint32_t k = 0; k < decision->config->outputs; k++) {
        if (is_in_band(decision, k, sum_of_codes(decision, k))) {
            return TG_CLASS_UNCERTAIN;
        }
    }
    return decision->config->pick == TG_PICK_SEVEREST ? pick_severest(decision) : pick_highest(decision);
}

static void remember_class(tg_decision *decision, uint8_t class)
{
    const uint32_t of = decision->config->of;
    decision->classes[decision->next_class] = class;
    decision->next_class = (decision->next_class + 1) % of;
    decision->n_classes += decision->n_classes < of;
}

/* How many of the last windows speak for class c, if they carry the vote; else 0. */
static uint32_t votes(const tg_decision *decision, uint32_t c)
{
    const tg_decision_config *config = decision->config;
    uint32_t count = 0;
    for (uint32_t i = 0; i < decision->n_classes; i++) {
        count += counts_for(decision, decision->classes[i], c);
    }
    return count >= config->need ? count : 0;
}

/* Whether the last windows leave the state's class, or a less severe one, as it is. */
static bool stays(const tg_decision *decision, uint32_t c)
{
    const tg_decision_config *config = decision->config;
    uint32_t others = 0;
    for (uint32_t i = 0; i < decision->n_classes; i++) {
        others += !counts_for(decision, decision->classes[i], c);
    }
    return decision->state > 0 && counts_for(decision, decision->state, c) && others <= config->of - config->need;
}

static uint8_t vote(const tg_decision *decision)
{
    const bool severest = decision->config->pick == TG_PICK_SEVEREST;
    if (!severest && stays(decision, decision->state)) {
        return decision->state;
    }
    uint8_t class = 0;
    uint32_t most = 0;
    for (uint32_t c = 1; c <= decision->config->outputs; c++) {
        const uint32_t count = votes(decision, c);
        if (severest ? count > 0 || stays(decision, c) : count > most) {
            class = (uint8_t)c;
            most = count;
        }
    }
    return class;
}

static void enter(tg_decision *decision, uint8_t class)
{
    decision->state = class;
    decision->hold = decision->config->min_hold;
}

static void settle(tg_decision *decision, uint8_t class)
{
    const bool severest = decision->config->pick == TG_PICK_SEVEREST;
    if (decision->state == 0) {
        if (class > 0 && decision->cooldown == 0) {
            enter(decision, class);
            decision->events++;
        }
    } else if (class == decision->state) {
        return;
    } else if (severest && (class > decision->state || (class > 0 && decision->hold == 0))) {
        enter(decision, class);
    } else if (decision->hold == 0) {
        decision->state = 0;
        decision->cooldown = decision->config->cooldown;
    }
}

static void pass(tg_decision *decision, uint32_t windows)
{
    decision->hold -= windows < decision->hold ? windows : decision->hold;
    decision->cooldown -= windows < decision->cooldown ? windows : decision->cooldown;
}

uint8_t tg_decision_update(tg_decision *decision, const int32_t *codes)
{
    remember_codes(decision, codes);
    const uint8_t class = classify(decision);
    decision->windows++;
    pass(decision, 1);
    if (class == TG_CLASS_UNCERTAIN) {
        decision->uncertain++;
        return class;
    }
    decision->positive += class > 0;
    remember_class(decision, class);
    const uint8_t voted = vote(decision);
    settle(decision, tg_accumulate_update(&decision->accumulate, voted > 0) ? voted : 0);
    return class;
}

static void forget(tg_decision *decision)
{
    decision->n_codes = decision->next_code = 0;
    decision->n_classes = decision->next_class = 0;
    if (decision->accumulate.level < decision->accumulate.full) {
        decision->accumulate.level = 0;
    }
}

uint8_t tg_decision_unknown(tg_decision *decision)
{
    decision->windows++;
    decision->unknown++;
    forget(decision);
    pass(decision, 1);
    return TG_CLASS_UNKNOWN;
}

void tg_decision_gap(tg_decision *decision, uint32_t hops)
{
    decision->gaps++;
    forget(decision);
    pass(decision, hops);
}
