/*
 * emergency_test.h - an emergency part without a heap, and threads that exchange objects of it.
 *
 * Include after isolated.h, once.
 */
#ifndef TESTS_EMERGENCY_TEST_H
#define TESTS_EMERGENCY_TEST_H

#include "mm/emergency.h"

#define CHUNK KIB(64)

static char *part_start;

/* A part of its own; there is no heap beside it. */
__attribute__((unused)) static void part_up(size_t bytes)
{
	void *address;

	os_fake_reset();
	ASSERT(!os_reserve(NULL, bytes + CHUNK, &address));
	part_start = (char *)(((uintptr_t)address + CHUNK - 1) / CHUNK * CHUNK);
	emergency_init(part_start, bytes);
}

__attribute__((unused)) static void fill(void *object, size_t bytes, unsigned char tag)
{
	memset(object, tag, bytes);
}

__attribute__((unused)) static bool is_filled(const void *object, size_t bytes, unsigned char tag)
{
	const unsigned char *byte = object;

	return !bytes || (byte[0] == tag && !memcmp(byte, byte + 1, bytes - 1));
}

#define NR_MAILS 64u

struct mail {
	size_t bytes;
	unsigned char tag;
	unsigned char contents[];
};

static _Atomic(struct mail *) mails[NR_MAILS];
static _Atomic unsigned int nr_refused;

static struct mail *mail_new(uint64_t *random)
{
	size_t bytes = kunit_below(random, kunit_below(random, 16) ? 300 : 30000);
	struct mail *mail = emergency_alloc(sizeof(*mail) + bytes,
					    (size_t)16 << kunit_below(random, 4));

	if (!mail) {
		nr_refused++;
		return NULL;
	}
	mail->bytes = bytes;
	mail->tag = (unsigned char)*random;
	fill(mail->contents, bytes, mail->tag);
	return mail;
}

static void mail_end(struct mail *mail)
{
	if (!mail)
		return;
	EXPECT(is_filled(mail->contents, mail->bytes, mail->tag));
	EXPECT(emergency_size(mail) >= sizeof(*mail) + mail->bytes);
	EXPECT(emergency_free(mail));
}

__attribute__((unused)) static void exchange_mail(uint64_t *random)
{
	mail_end(atomic_exchange(&mails[kunit_below(random, NR_MAILS)], mail_new(random)));
}

#endif
