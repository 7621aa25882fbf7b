// SPDX-License-Identifier: GPL-2.0
/*
 * An I2C bus whose chips are played by a program: i2c-1 towards drivers and programs, /dev/bench-i2c towards the player.
 *
 * Unlike i2c-stub, which keeps what was written to it, this bus carries plain transfers of any number of messages
 * (I2C_RDWR, and SMBus calls made of them), and what a chip answers is up to the player.
 *
 * The player reads one transfer at a time:
 *     u32 number, u32 count of messages, then for each: u16 address, u16 flags (1: read), u32 length, and, of a message
 *     that writes, its bytes
 * and writes its answer:
 *     u32 number, s32 error (0, or a negative errno such as -ENXIO: nobody acknowledged), then the bytes of all messages
 *     that read, one after the other
 * Without a player nobody acknowledges. One that does not answer within a second is a bus that hangs (-ETIMEDOUT).
 */
#include <linux/i2c.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#define NUMBER 1
#define LONGEST 8192
#define READS 1

enum { NOTHING, ASKED, TAKEN, ANSWERED };

struct header {
	u32 number;
	u32 count;
};

struct part {
	u16 address;
	u16 flags;
	u32 length;
};

struct answer {
	u32 number;
	s32 error;
};

static DEFINE_MUTEX(lock);	/* of everything below */
static DECLARE_WAIT_QUEUE_HEAD(asked);
static DECLARE_WAIT_QUEUE_HEAD(answered);
static bool played;
static int stage;
static u32 number;
static struct i2c_msg *messages;
static int count_of_messages;
static int result;

static int stage_now(void)
{
	return READ_ONCE(stage);
}

static size_t length_of_question(void)
{
	size_t length = sizeof(struct header);
	int i;

	for (i = 0; i < count_of_messages; i++) {
		length += sizeof(struct part);
		if (!(messages[i].flags & I2C_M_RD))
			length += messages[i].len;
	}
	return length;
}

/* The bus is locked by the core: one transfer at a time. */
static int transfer(struct i2c_adapter *adapter, struct i2c_msg *wanted, int count)
{
	int outcome;

	mutex_lock(&lock);
	if (!played) {
		mutex_unlock(&lock);
		return -ENXIO;
	}
	messages = wanted;
	count_of_messages = count;
	number++;
	if (length_of_question() > LONGEST) {
		mutex_unlock(&lock);
		return -EOPNOTSUPP;
	}
	WRITE_ONCE(stage, ASKED);
	mutex_unlock(&lock);
	wake_up_interruptible(&asked);
	wait_event_timeout(answered, stage_now() == ANSWERED, adapter->timeout);
	mutex_lock(&lock);
	outcome = stage == ANSWERED ? result : -ETIMEDOUT;
	WRITE_ONCE(stage, NOTHING);
	messages = NULL;
	mutex_unlock(&lock);
	return outcome ? outcome : count;
}

static u32 abilities(struct i2c_adapter *adapter)
{
	return I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL;
}

static const struct i2c_algorithm algorithm = {
	.master_xfer = transfer,
	.functionality = abilities,
};

static struct i2c_adapter adapter = {
	.owner = THIS_MODULE,
	.name = "lintel bench",
	.nr = NUMBER,
	.algo = &algorithm,
	.timeout = HZ,
};

/* The player. */

static int player_open(struct inode *inode, struct file *file)
{
	int error = 0;

	mutex_lock(&lock);
	if (played)
		error = -EBUSY;
	else
		played = true;
	mutex_unlock(&lock);
	return error;
}

static void finish(int outcome)
{
	result = outcome;
	WRITE_ONCE(stage, ANSWERED);
	wake_up(&answered);
}

static int player_release(struct inode *inode, struct file *file)
{
	mutex_lock(&lock);
	played = false;
	if (stage == ASKED || stage == TAKEN)
		finish(-ENXIO);
	mutex_unlock(&lock);
	return 0;
}

static size_t write_question(u8 *to)
{
	struct header header = { number, count_of_messages };
	u8 *at = to;
	int i;

	memcpy(at, &header, sizeof(header));
	at += sizeof(header);
	for (i = 0; i < count_of_messages; i++) {
		bool reads = messages[i].flags & I2C_M_RD;
		struct part part = { messages[i].addr, reads ? READS : 0, messages[i].len };

		memcpy(at, &part, sizeof(part));
		at += sizeof(part);
		if (!reads) {
			memcpy(at, messages[i].buf, messages[i].len);
			at += messages[i].len;
		}
	}
	return at - to;
}

static ssize_t player_read(struct file *file, char __user *to, size_t size, loff_t *position)
{
	ssize_t length;
	u8 *question;

	if (stage_now() != ASKED) {
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(asked, stage_now() == ASKED))
			return -ERESTARTSYS;
	}
	question = kmalloc(LONGEST, GFP_KERNEL);
	if (!question)
		return -ENOMEM;
	mutex_lock(&lock);
	if (stage != ASKED) {
		length = -EAGAIN;	/* nobody waits for it any more */
	} else if (size < length_of_question()) {
		length = -EMSGSIZE;
	} else {
		length = write_question(question);
		WRITE_ONCE(stage, TAKEN);
	}
	mutex_unlock(&lock);
	if (length > 0 && copy_to_user(to, question, length))
		length = -EFAULT;
	kfree(question);
	return length;
}

/* Hands the bytes of an answer to the messages that read. */
static int take_answer(const u8 *bytes, size_t length)
{
	int i;

	for (i = 0; i < count_of_messages; i++) {
		if (!(messages[i].flags & I2C_M_RD))
			continue;
		if (length < messages[i].len)
			return -EINVAL;
		memcpy(messages[i].buf, bytes, messages[i].len);
		bytes += messages[i].len;
		length -= messages[i].len;
	}
	return length ? -EINVAL : 0;
}

static ssize_t player_write(struct file *file, const char __user *from, size_t size, loff_t *position)
{
	struct answer *answer;
	ssize_t outcome = size;

	if (size < sizeof(*answer) || size > LONGEST)
		return -EINVAL;
	answer = memdup_user(from, size);
	if (IS_ERR(answer))
		return PTR_ERR(answer);
	mutex_lock(&lock);
	if (stage != TAKEN || answer->number != number) {
		outcome = -ESTALE;	/* it came too late */
	} else if (answer->error > 0 || answer->error < -MAX_ERRNO) {
		outcome = -EINVAL;
	} else if (answer->error) {
		finish(answer->error);
	} else if (take_answer((u8 *)(answer + 1), size - sizeof(*answer))) {
		outcome = -EINVAL;
	} else {
		finish(0);
	}
	mutex_unlock(&lock);
	kfree(answer);
	return outcome;
}

static __poll_t player_poll(struct file *file, poll_table *table)
{
	poll_wait(file, &asked, table);
	return EPOLLOUT | EPOLLWRNORM | (stage_now() == ASKED ? EPOLLIN | EPOLLRDNORM : 0);
}

static const struct file_operations player = {
	.owner = THIS_MODULE,
	.open = player_open,
	.release = player_release,
	.read = player_read,
	.write = player_write,
	.poll = player_poll,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "bench-i2c",
	.fops = &player,
};

static int __init bench_i2c_init(void)
{
	int error = i2c_add_numbered_adapter(&adapter);

	if (error)
		return error;
	error = misc_register(&device);
	if (error)
		i2c_del_adapter(&adapter);
	return error;
}

static void __exit bench_i2c_exit(void)
{
	misc_deregister(&device);
	i2c_del_adapter(&adapter);
}

module_init(bench_i2c_init);
module_exit(bench_i2c_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("An I2C bus whose chips are played by a program");
