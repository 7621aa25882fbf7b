/*
 * The stand-in of bench/native/video0.c as a camera that writes into its buffers while it streams, as real ones do: a
 * buffer holds the picture that was taken when it is handed over, and from the moment it is given back its lower half
 * holds the next one. So whoever still looks at a buffer that was given back sees a picture made of two halves.
 */
#define ioctl ready_ioctl
#include "video0.c"
#undef ioctl

static unsigned holds[MOST_BUFFERS], taken;

static const unsigned char *picture(unsigned number)
{
	return frames + number % (frames_bytes / planar_bytes()) * planar_bytes();
}

/* the lower half of every plane, or of the rows that hold all of them */
static void write_lower_half(unsigned char *into, const unsigned char *planes)
{
	size_t luma = (size_t)width * height, sizes[] = {luma, luma / 4, luma / 4}, before = 0;
	static unsigned char *whole;
	unsigned plane;

	if (packed) {
		if (!whole && !(whole = malloc(picture_bytes())))
			abort();
		fill(whole, planes);
		memcpy(into + luma, whole + luma, luma);
		return;
	}
	for (plane = 0; plane < 3; before += sizes[plane++])
		memcpy(into + before + sizes[plane] / 2, planes + before + sizes[plane] / 2, sizes[plane] / 2);
}

int ioctl(int fd, unsigned long request, ...)
{
	struct v4l2_buffer *buffer;
	va_list rest;
	int answer;

	va_start(rest, request);
	buffer = va_arg(rest, void *);
	va_end(rest);
	answer = ready_ioctl(fd, request, buffer);
	if (answer || fd < 0 || fd != camera || !raw)
		return answer;
	if ((uint32_t)request == VIDIOC_DQBUF) {
		fill(written[buffer->index], picture(holds[buffer->index] = taken++));
	} else if ((uint32_t)request == VIDIOC_QBUF && written[buffer->index]) {
		write_lower_half(written[buffer->index], picture(holds[buffer->index] + 1));
	}
	return answer;
}
