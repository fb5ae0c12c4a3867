#include "jinja/jinja_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* Arithmetic as Python has it. */

static const char *symbol(enum jkind op)
{
	static const char *const symbols[] = {[N_ADD] = "+", [N_SUB] = "-", [N_MUL] = "*", [N_DIV] = "/",
		[N_FLOORDIV] = "//", [N_MOD] = "%", [N_POW] = "** or pow()"};

	return symbols[op];
}

static _Noreturn void too_large(struct jrun *r)
{
	jinja_raise(r, E_OVERFLOW, "integers of more than 64 bits are not supported");
}

static int64_t power(struct jrun *r, int64_t base, int64_t exponent)
{
	int64_t result = 1;

	while (exponent) {
		if (exponent & 1 && __builtin_mul_overflow(result, base, &result))
			too_large(r);
		exponent >>= 1;
		if (exponent && __builtin_mul_overflow(base, base, &base))
			too_large(r);
	}
	return result;
}

static struct jv integers(struct jrun *r, enum jkind op, int64_t a, int64_t b)
{
	int64_t c, q;

	switch (op) {
	case N_ADD:
		if (__builtin_add_overflow(a, b, &c))
			too_large(r);
		return jv_int(c);
	case N_SUB:
		if (__builtin_sub_overflow(a, b, &c))
			too_large(r);
		return jv_int(c);
	case N_MUL:
		if (__builtin_mul_overflow(a, b, &c))
			too_large(r);
		return jv_int(c);
	case N_FLOORDIV:
	case N_MOD:
		if (!b)
			jinja_raise(r, E_ZERO, op == N_MOD ? "integer modulo by zero"
							   : "integer division or modulo by zero");
		if (b == -1) {
			if (op == N_MOD)
				return jv_int(0);
			if (__builtin_sub_overflow((int64_t)0, a, &c))
				too_large(r);
			return jv_int(c);
		}
		q = a / b;
		c = a % b;
		if (c && (c < 0) != (b < 0)) {
			q--;
			c += b;
		}
		return jv_int(op == N_MOD ? c : q);
	default:
		return jv_int(power(r, a, b));
	}
}

static struct jv doubles(struct jrun *r, enum jkind op, double a, double b)
{
	double c;

	switch (op) {
	case N_ADD:
		return jv_float(a + b);
	case N_SUB:
		return jv_float(a - b);
	case N_MUL:
		return jv_float(a * b);
	case N_DIV:
		if (b == 0)
			jinja_raise(r, E_ZERO, "float division by zero");
		return jv_float(a / b);
	case N_FLOORDIV:
	case N_MOD:
		if (b == 0)
			jinja_raise(r, E_ZERO, op == N_MOD ? "float modulo" : "float floor division by zero");
		c = fmod(a, b);
		if (c != 0 ? (b < 0) != (c < 0) : false)
			c += b;
		else if (c == 0)
			c = copysign(0, b);
		if (op == N_MOD)
			return jv_float(c);
		c = (a - c) / b;
		if (c != 0)
			return jv_float(c - floor(c) > 0.5 ? floor(c) + 1 : floor(c));
		return jv_float(copysign(0, a / b));
	default:
		if (a == 0 && b < 0)
			jinja_raise(r, E_ZERO, "0.0 cannot be raised to a negative power");
		if (a < 0 && isfinite(a) && isfinite(b) && b != floor(b))
			jinja_raise(r, E_TYPE, "complex numbers are not supported");
		c = pow(a, b);
		if (isinf(c) && isfinite(a) && isfinite(b))
			jinja_raise(r, E_OVERFLOW, "(34, 'Numerical result out of range')");
		return jv_float(c);
	}
}

static struct jv numbers(struct jrun *r, enum jkind op, struct jv a, struct jv b)
{
	bool both = jinja_is_int(a) && jinja_is_int(b);

	if (both && op == N_DIV && !jinja_to_int(b))
		jinja_raise(r, E_ZERO, "division by zero");
	if (both && op == N_POW && jinja_to_int(b) < 0 && !jinja_to_int(a))
		jinja_raise(r, E_ZERO, "0.0 cannot be raised to a negative power");
	if (both && op != N_DIV && !(op == N_POW && jinja_to_int(b) < 0))
		return integers(r, op, jinja_to_int(a), jinja_to_int(b));
	return doubles(r, op, jinja_to_double(a), jinja_to_double(b));
}

static struct jv lists(struct jrun *r, struct jv a, struct jv b)
{
	struct jv v = jinja_list(r, (enum jtype)a.type, a.u.l->n + b.u.l->n);

	jinja_step(r, (a.u.l->n + b.u.l->n) >> 2);
	if (a.u.l->n)
		memcpy(v.u.l->items, a.u.l->items, a.u.l->n * sizeof(struct jv));
	if (b.u.l->n)
		memcpy(v.u.l->items + a.u.l->n, b.u.l->items, b.u.l->n * sizeof(struct jv));
	v.u.l->n = a.u.l->n + b.u.l->n;
	return v;
}

static bool is_sequence(struct jv v)
{
	return v.type == J_STR || v.type == J_LIST || v.type == J_TUPLE;
}

struct jv jinja_binary(struct jrun *r, enum jkind op, struct jv a, struct jv b)
{
	if (jinja_is_number(a) && jinja_is_number(b))
		return numbers(r, op, a, b);
	if (op == N_MOD && a.type == J_STR)
		return jinja_percent(r, a, b);
	if (a.type == J_UNDEFINED || b.type == J_UNDEFINED)
		jinja_undefined_fail(r, a.type == J_UNDEFINED ? a : b);
	if (op == N_ADD && a.type == b.type && a.type == J_STR)
		return jinja_concat(r, a, b);
	if (op == N_ADD && a.type == b.type && is_sequence(a))
		return lists(r, a, b);
	if (op == N_MUL && is_sequence(a) && jinja_is_int(b))
		return jinja_repeat(r, a, jinja_to_int(b));
	if (op == N_MUL && is_sequence(b) && jinja_is_int(a))
		return jinja_repeat(r, b, jinja_to_int(a));
	if (op == N_MUL && (is_sequence(a) || is_sequence(b)))
		jinja_raise(r, E_TYPE, "can't multiply sequence by non-int of type '%s'",
			jinja_type_name(is_sequence(a) ? b : a));
	if (op == N_ADD && is_sequence(a) && !a.flag)
		jinja_raise(r, E_TYPE, "can only concatenate %s (not \"%s\") to %s", jinja_type_name(a),
			jinja_type_name(b), jinja_type_name(a));
	jinja_raise(r, E_TYPE, "unsupported operand type(s) for %s: '%s' and '%s'", symbol(op),
		jinja_type_name(a), jinja_type_name(b));
}

struct jv jinja_unary(struct jrun *r, enum jkind op, struct jv a)
{
	int64_t i;

	if (a.type == J_UNDEFINED)
		jinja_undefined_fail(r, a);
	if (!jinja_is_number(a))
		jinja_raise(r, E_TYPE, "bad operand type for unary %s: '%s'", op == N_NEG ? "-" : "+",
			jinja_type_name(a));
	if (a.type == J_FLOAT)
		return jv_float(op == N_NEG ? -a.u.f : a.u.f);
	i = jinja_to_int(a);
	if (op == N_NEG && __builtin_sub_overflow((int64_t)0, i, &i))
		too_large(r);
	return jv_int(i);
}

/* round(): to even, on the exact decimal value */
struct jv jinja_round(struct jrun *r, struct jv v, int64_t digits)
{
	char text[400];
	double x, scale;

	if (jinja_is_int(v)) {
		int64_t i = jinja_to_int(v), by = 1, down, up;

		if (digits >= 0)
			return jv_int(i);
		if (digits < -18)
			return jv_int(0);
		by = power(r, 10, -digits);
		down = i % by;
		if (down < 0)
			down += by;
		up = by - down;
		i -= down;
		if (down > up || (down == up && (i / by) % 2))
			if (__builtin_add_overflow(i, by, &i))
				too_large(r);
		return jv_int(i);
	}
	if (v.type == J_UNDEFINED)
		jinja_raise(r, E_TYPE, "type Undefined doesn't define __round__ method");
	if (v.type != J_FLOAT)
		jinja_raise(r, E_TYPE, "type %s doesn't define __round__ method", jinja_type_name(v));
	x = v.u.f;
	if (!isfinite(x) || digits > 323)
		return v;
	if (digits < -308)
		return jv_float(copysign(0, x));
	if (digits >= 0) {
		int places = digits > 330 ? 330 : (int)digits;

		if (fabs(x) >= 1e22)
			return v;
		snprintf(text, sizeof text, "%.*f", places, x);
		return jv_float(strtod(text, NULL));
	}
	scale = pow(10, (double)-digits);
	return jv_float(nearbyint(x / scale) * scale);
}
