/*
 * A stand-in for a camera's device file, preloaded into a program: /dev/video0 that delivers ready pictures at an even
 * rate. VIDEO0_FPS is the rate, VIDEO0_SIZE the size as WIDTHxHEIGHT, VIDEO0_FRAMES the file with the pictures:
 * JPEG files, each behind its length (32 bits, little-endian), or with VIDEO0_RAW set planar 4:2:0, one after the
 * other. Those a program gets as YU12 when it asks for that and VIDEO0_RAW is YU12, else as YUYV (packed 4:2:2). They
 * are in the buffers before the stream starts, as if the camera wrote them by itself: handing one over costs the
 * program nothing, and a buffer always holds the same picture. They lie in a file in memory, so that a program may map
 * and unmap them as it likes.
 *
 * The descriptor is a timer of the kernel's, so that poll and select work as they are. Source: the kernel's
 * documentation of video capture with memory-mapped buffers (V4L2).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define DEVICE "/dev/video0"
#define SERIAL "/proc/device-tree/serial-number"
#define MOST_BUFFERS 16
#define BUFFER_BYTES (1u << 22)

static int camera = -1, raw, only_packed, packed;
static unsigned width = 1280, height = 720, fps = 30;
static unsigned char *frames;
static size_t frames_bytes, at;
static unsigned char *written[MOST_BUFFERS];
static int memory = -1, queued[MOST_BUFFERS], count, first, sequence;

static size_t planar_bytes(void)
{
	return (size_t)width * height * 3 / 2;
}

static size_t picture_bytes(void)
{
	return packed ? 2 * (size_t)width * height : planar_bytes();
}

static void fill(unsigned char *into, const unsigned char *planes)
{
	const unsigned char *u = planes + (size_t)width * height, *v = u + (size_t)width * height / 4;
	unsigned row, pair;

	if (!packed) {
		memcpy(into, planes, planar_bytes());
		return;
	}
	for (row = 0; row < height; row++)
		for (pair = 0; pair < width / 2; pair++) {
			*into++ = planes[row * width + 2 * pair];
			*into++ = u[row / 2 * (width / 2) + pair];
			*into++ = planes[row * width + 2 * pair + 1];
			*into++ = v[row / 2 * (width / 2) + pair];
		}
}

static void load(void)
{
	const char *path = getenv("VIDEO0_FRAMES"), *rate = getenv("VIDEO0_FPS"), *size = getenv("VIDEO0_SIZE");
	const char *form = getenv("VIDEO0_RAW");
	FILE *file = path ? fopen(path, "rb") : NULL;

	if (!file || fseek(file, 0, SEEK_END)) {
		fprintf(stderr, "video0: VIDEO0_FRAMES cannot be read\n");
		abort();
	}
	frames_bytes = (size_t)ftell(file);
	rewind(file);
	frames = malloc(frames_bytes);
	if (!frames || fread(frames, 1, frames_bytes, file) != frames_bytes)
		abort();
	fclose(file);
	if (rate)
		fps = (unsigned)atoi(rate);
	if (size)
		sscanf(size, "%ux%u", &width, &height);
	raw = form != NULL;
	only_packed = raw && strcmp(form, "YU12");
	if (raw && (2 * width * height > BUFFER_BYTES || planar_bytes() > frames_bytes)) {
		fprintf(stderr, "video0: a picture of %ux%u is not what VIDEO0_FRAMES holds\n", width, height);
		abort();
	}
}

/* a board without a serial number borrows one: our own device does not start without */
static int open_serial(void)
{
	int file = memfd_create("serial", MFD_CLOEXEC);

	if (file >= 0 && (write(file, "00000000be0c0000", 17) != 17 || lseek(file, 0, SEEK_SET)))
		abort();
	return file;
}

static int open_camera(void)
{
	if (!frames)
		load();
	camera = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	count = first = 0;
	return camera;
}

static void stream(int on)
{
	struct itimerspec every = {0};

	if (on) {
		every.it_interval.tv_nsec = 1000000000L / fps;
		every.it_value = every.it_interval;
	}
	timerfd_settime(camera, 0, &every, NULL);
}

static void fill_format(struct v4l2_format *format)
{
	packed = raw && (only_packed || format->fmt.pix.pixelformat != V4L2_PIX_FMT_YUV420);
	memset(&format->fmt.pix, 0, sizeof format->fmt.pix);
	format->fmt.pix.width = width;
	format->fmt.pix.height = height;
	format->fmt.pix.pixelformat = packed ? V4L2_PIX_FMT_YUYV : raw ? V4L2_PIX_FMT_YUV420 : V4L2_PIX_FMT_MJPEG;
	format->fmt.pix.field = V4L2_FIELD_NONE;
	format->fmt.pix.bytesperline = packed ? 2 * width : raw ? width : 0;
	format->fmt.pix.sizeimage = raw ? picture_bytes() : BUFFER_BYTES;
	format->fmt.pix.colorspace = V4L2_COLORSPACE_JPEG;
}

static int dequeue(struct v4l2_buffer *buffer)
{
	uint64_t ticks;
	uint32_t length;
	struct timespec now;

	if (!count || read(camera, &ticks, sizeof ticks) != sizeof ticks) {
		errno = EAGAIN;
		return -1;
	}
	buffer->index = (unsigned)queued[first];
	first = (first + 1) % MOST_BUFFERS;
	count--;
	if (raw) {
		length = (uint32_t)picture_bytes();
	} else {
		if (at + sizeof length > frames_bytes)
			at = 0;
		memcpy(&length, frames + at, sizeof length);
		at += sizeof length;
		memcpy(written[buffer->index], frames + at, length);
		at += length;
	}
	buffer->bytesused = length;
	buffer->length = BUFFER_BYTES;
	buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
	buffer->field = V4L2_FIELD_NONE;
	buffer->sequence = (unsigned)sequence++;
	clock_gettime(CLOCK_MONOTONIC, &now);
	buffer->timestamp.tv_sec = now.tv_sec;
	buffer->timestamp.tv_usec = now.tv_nsec / 1000;
	return 0;
}

static int control(unsigned long request, void *data)
{
	struct v4l2_capability *capability = data;
	struct v4l2_requestbuffers *wish = data;
	struct v4l2_buffer *buffer = data;
	struct v4l2_streamparm *param = data;

	/* programs hand requests over as int: what the compiler made of the sign does not count */
	switch ((uint32_t)request) {
	case VIDIOC_QUERYCAP:
		memset(capability, 0, sizeof *capability);
		strcpy((char *)capability->driver, "uvcvideo"); /* which it stands for */
		strcpy((char *)capability->card, "stand-in");
		capability->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_DEVICE_CAPS;
		capability->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
		return 0;
	case VIDIOC_S_INPUT:
		return 0;
	case VIDIOC_G_FMT:
	case VIDIOC_S_FMT:
	case VIDIOC_TRY_FMT:
		fill_format(data);
		return 0;
	case VIDIOC_G_PARM:
	case VIDIOC_S_PARM:
		param->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
		param->parm.capture.timeperframe.numerator = 1;
		param->parm.capture.timeperframe.denominator = fps;
		return 0;
	case VIDIOC_REQBUFS:
		if (wish->count > MOST_BUFFERS)
			wish->count = MOST_BUFFERS;
		return 0;
	case VIDIOC_QUERYBUF:
		buffer->length = BUFFER_BYTES;
		buffer->m.offset = buffer->index * BUFFER_BYTES;
		return 0;
	case VIDIOC_QBUF:
		queued[(first + count++) % MOST_BUFFERS] = (int)buffer->index;
		return 0;
	case VIDIOC_DQBUF:
		return dequeue(buffer);
	case VIDIOC_STREAMON:
		stream(1);
		return 0;
	case VIDIOC_STREAMOFF:
		stream(0);
		return 0;
	default:
		errno = EINVAL;
		return -1;
	}
}

/* what the program calls */

#define REAL(name) (*(__typeof__(&name) *)find(#name))

static void *find(const char *name)
{
	static __thread void *found;

	found = dlsym(RTLD_NEXT, name);
	return &found;
}

int open(const char *path, int flags, ...)
{
	va_list rest;
	mode_t mode;

	if (!strcmp(path, DEVICE))
		return open_camera();
	if (!strcmp(path, SERIAL))
		return open_serial();
	va_start(rest, flags);
	mode = va_arg(rest, mode_t);
	va_end(rest);
	return REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list rest;
	mode_t mode;

	if (!strcmp(path, DEVICE))
		return open_camera();
	if (!strcmp(path, SERIAL))
		return open_serial();
	va_start(rest, flags);
	mode = va_arg(rest, mode_t);
	va_end(rest);
	return REAL(open64)(path, flags, mode);
}

int access(const char *path, int mode)
{
	return strcmp(path, DEVICE) ? REAL(access)(path, mode) : 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list rest;
	void *data;

	va_start(rest, request);
	data = va_arg(rest, void *);
	va_end(rest);
	return fd >= 0 && fd == camera ? control(request, data) : REAL(ioctl)(fd, request, data);
}

/* maps a buffer, which is filled or ready to be written to */
static void *map_buffer(size_t length, int prot, int flags, off_t offset)
{
	unsigned number = (unsigned)(offset / BUFFER_BYTES);

	if (memory < 0) {
		memory = memfd_create("buffers", MFD_CLOEXEC);
		if (memory < 0 || ftruncate(memory, (off_t)MOST_BUFFERS * BUFFER_BYTES))
			abort();
	}
	if (!written[number]) {
		written[number] = REAL(mmap)(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, offset);
		if (written[number] == MAP_FAILED)
			abort();
		if (raw) {
			fill(written[number], frames + number % (frames_bytes / planar_bytes()) * planar_bytes());
			/* for good: a page that is mapped twice counts twice as the program's memory */
			madvise(written[number], BUFFER_BYTES, MADV_DONTNEED);
		}
	}
	return REAL(mmap)(NULL, length, prot, flags, memory, offset);
}

void *mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	if (fd >= 0 && fd == camera)
		return map_buffer(length, prot, flags, offset);
	return REAL(mmap)(address, length, prot, flags, fd, offset);
}

void *mmap64(void *address, size_t length, int prot, int flags, int fd, off64_t offset)
{
	if (fd >= 0 && fd == camera)
		return map_buffer(length, prot, flags, offset);
	return REAL(mmap64)(address, length, prot, flags, fd, offset);
}
