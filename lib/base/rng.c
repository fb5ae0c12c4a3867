#include "base/rng.h"

#include <math.h>

static void philox(uint32_t c[4], uint64_t seed)
{
	uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32), next[4];
	uint64_t a, b;

	for (int round = 0; round < 10; round++) {
		a = (uint64_t)0xd2511f53 * c[0];
		b = (uint64_t)0xcd9e8d57 * c[2];
		next[0] = (uint32_t)(b >> 32) ^ c[1] ^ k0;
		next[1] = (uint32_t)b;
		next[2] = (uint32_t)(a >> 32) ^ c[3] ^ k1;
		next[3] = (uint32_t)a;
		for (int i = 0; i < 4; i++)
			c[i] = next[i];
		k0 += 0x9e3779b9;
		k1 += 0xbb67ae85;
	}
}

void rng_bits(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4])
{
	out[0] = (uint32_t)index;
	out[1] = (uint32_t)(index >> 32);
	out[2] = (uint32_t)stream;
	out[3] = (uint32_t)(stream >> 32);
	philox(out, seed);
}

static double unit(uint32_t hi, uint32_t lo)
{
	return (double)(((uint64_t)hi << 32 | lo) >> 11) * 0x1p-53;
}

double rng_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
	uint32_t r[4];

	rng_bits(seed, stream, index, r);
	return unit(r[0], r[1]);
}

void rng_normal(uint64_t seed, uint64_t stream, uint64_t index, double out[2])
{
	uint32_t r[4];
	double radius, angle;

	rng_bits(seed, stream, index, r);
	radius = sqrt(-2 * log1p(-unit(r[0], r[1])));
	angle = 2 * M_PI * unit(r[2], r[3]);
	out[0] = radius * cos(angle);
	out[1] = radius * sin(angle);
}

uint64_t rng_permute(uint64_t seed, uint64_t stream, uint64_t n, uint64_t i)
{
	uint64_t side = (uint64_t)sqrt((double)n), left, right, mixed;
	uint32_t r[4];

	while (side < 0xffffffff && side * side < n) /* the root may be rounded down */
		side++;
	do {
		left = i / side;
		right = i % side;
		for (uint32_t round = 0; round < 6; round++) {
			rng_bits(seed, stream, right << 3 | round, r);
			mixed = (left + r[0]) % side;
			left = right;
			right = mixed;
		}
		i = left * side + right;
	} while (i >= n);
	return i;
}
