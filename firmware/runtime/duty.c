#include "duty.h"

tg_duty_rule tg_duty_check(const tg_duty_config *config)
{
    if (config->decimation < 1) {
        return TG_DUTY_BAD_DECIMATION;
    }
    if (config->block < 2 || config->block > TG_SPREAD_MAX_COUNTS) {
        return TG_DUTY_BAD_BLOCK;
    }
    if (config->shift > TG_SPREAD_MAX_SHIFT) {
        return TG_DUTY_BAD_SHIFT;
    }
    if (config->hop < 1) {
        return TG_DUTY_BAD_HOP;
    }
    return config->preroll > config->window ? TG_DUTY_BAD_PREROLL : TG_DUTY_FINE;
}

static void watch(tg_duty *duty)
{
    duty->state = TG_DUTY_WATCH;
    duty->spread = (tg_spread){ 0 };
    duty->skip = 0;
}

void tg_duty_init(tg_duty *duty, const tg_duty_config *config)
{
    *duty = (tg_duty){ .config = config };
    watch(duty);
}

static tg_duty_action wake(tg_duty *duty)
{
    duty->wakes++;
    duty->is_true_wake = false;
    duty->state = TG_DUTY_COLLECT;
    duty->waiting = duty->config->window - duty->config->preroll;
    return TG_DUTY_REWIND;
}

static tg_duty_action look(tg_duty *duty, int32_t count)
{
    const tg_duty_config *config = duty->config;
    if (duty->skip > 0) {
        duty->skip--;
        return TG_DUTY_NOTHING;
    }
    duty->skip = config->decimation - 1;
    tg_spread_add(&duty->spread, count, config->shift);
    if (duty->spread.n < config->block) {
        return TG_DUTY_NOTHING;
    }
    const uint64_t limit = tg_spread_of_variance(config->wake_variance, config->block);
    const bool is_calm = tg_spread_value(&duty->spread) < limit;
    duty->spread = (tg_spread){ 0 };
    return is_calm ? TG_DUTY_NOTHING : wake(duty);
}

static tg_duty_action infer_if_complete(tg_duty *duty)
{
    if (duty->waiting > 0) {
        return TG_DUTY_NOTHING;
    }
    duty->state = TG_DUTY_INFER;
    duty->waiting = duty->config->hop;
    duty->inferences++;
    return TG_DUTY_TAKE;
}

tg_duty_action tg_duty_frame(tg_duty *duty, int32_t count)
{
    duty->frames[duty->state]++;
    if (duty->state == TG_DUTY_WATCH) {
        return look(duty, count);
    }
    duty->waiting -= duty->waiting > 0;
    if (duty->state == TG_DUTY_COLLECT) {
        return infer_if_complete(duty);
    }
    if (duty->state == TG_DUTY_COOLDOWN && duty->waiting == 0) {
        watch(duty);
    }
    return TG_DUTY_NOTHING;
}

tg_duty_action tg_duty_result(tg_duty *duty, bool positive)
{
    if (positive) {
        duty->is_true_wake = true;
        duty->state = TG_DUTY_COLLECT;
        return infer_if_complete(duty);
    }
    duty->false_wakes += !duty->is_true_wake;
    duty->state = TG_DUTY_COOLDOWN;
    duty->waiting = duty->config->cooldown;
    if (duty->waiting == 0) {
        watch(duty);
    }
    return TG_DUTY_NOTHING;
}
