// SPDX-License-Identifier: GPL-2.0
/*
 * Serial ports that exist in the kernel alone, for tests of programs that talk over them.
 *
 *   ttyVB0 ttyVB1 ttyVB2   one RS-485 pair: everybody hears everybody, two that talk at once are heard by nobody
 *   ttyVB3 ttyVB4 ttyVB5   another one
 *   ttyVB6 ttyVB7          a null modem: a line each way, RTS to CTS, DTR to DSR and DCD
 *
 * A byte leaves at the rate of its port and arrives at its end.  On a pair, a port that was put into RS-485 mode
 * (TIOCSRS485) turns its own transceiver: delays before and after, and its echo where it was asked for.  A port without
 * that mode stands for an adapter that turns by itself.  A byte that met another one, or a receiver of another rate or
 * format, arrives as a framing error.
 */
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/serial.h>
#include <linux/serial_core.h>
#include <linux/tty.h>
#include <linux/tty_flip.h>

#define PORTS 8
#define ON_A_PAIR 3
#define PAIRS 2
#define FORMAT (CSIZE | PARENB | PARODD | CSTOPB)

/* A port turns its transceiver, sends byte by byte, and turns it back. */
enum phase { AT_REST, TURNING, SENDING, TURNING_BACK };

struct station {
	struct uart_port port;
	struct hrtimer timer;
	enum phase phase;
	bool started;
	bool damaged;		/* the byte under way met another one */
	u8 byte;
	u64 byte_ns;
	tcflag_t format;
	unsigned int lines;	/* RTS, DTR */
};

static struct station stations[PORTS];
static struct platform_device *board;
static unsigned int collisions;
module_param(collisions, uint, 0644);
MODULE_PARM_DESC(collisions, "bytes that met another byte, so far");

static struct station *station_of(struct uart_port *port)
{
	return container_of(port, struct station, port);
}

/* The stations that a station hears: first one and how many. */
static unsigned int company(const struct station *me, unsigned int *first)
{
	unsigned int number = me - stations;

	if (number >= ON_A_PAIR * PAIRS) {
		*first = ON_A_PAIR * PAIRS;
		return 2;
	}
	*first = number - number % ON_A_PAIR;
	return ON_A_PAIR;
}

static bool on_a_pair(const struct station *me)
{
	return me - stations < ON_A_PAIR * PAIRS;
}

static bool turns_itself(const struct station *me)
{
	return me->port.rs485.flags & SER_RS485_ENABLED;
}

/* Whether its driver holds the pair. A port that raises RTS at rest and not to send never reaches the pair. */
static bool holds_the_pair(const struct station *me)
{
	if (me->phase == AT_REST)
		return false;
	return !turns_itself(me) || (me->port.rs485.flags & SER_RS485_RTS_ON_SEND);
}

static bool hears_while_sending(const struct station *me)
{
	return turns_itself(me) && (me->port.rs485.flags & SER_RS485_RX_DURING_TX);
}

static void note_collisions(struct station *me)
{
	unsigned int first, count = company(me, &first), i;

	if (!on_a_pair(me) || !holds_the_pair(me))
		return;
	for (i = first; i < first + count; i++) {
		if (&stations[i] == me || !holds_the_pair(&stations[i]))
			continue;
		if (!me->damaged)
			collisions++;
		me->damaged = true;
		stations[i].damaged = true;
	}
}

static void put(struct station *to, u8 byte, char kind)
{
	if (!to->started || !(to->port.read_status_mask & CREAD))
		return;
	to->port.icount.rx++;
	if (kind == TTY_FRAME)
		to->port.icount.frame++;
	tty_insert_flip_char(&to->port.state->port, byte, kind);
	tty_flip_buffer_push(&to->port.state->port);
}

static void arrive(const struct station *from, struct station *to)
{
	bool readable = !from->damaged && from->byte_ns == to->byte_ns && from->format == to->format;

	put(to, readable ? from->byte : ~from->byte, readable ? TTY_NORMAL : TTY_FRAME);
}

static void deliver(struct station *me)
{
	unsigned int first, count = company(me, &first), i;

	if (on_a_pair(me) && !holds_the_pair(me))
		return;
	for (i = first; i < first + count; i++) {
		struct station *other = &stations[i];

		if (other == me ? hears_while_sending(me) :
		    !on_a_pair(me) || !holds_the_pair(other) || hears_while_sending(other))
			arrive(me, other);
	}
}

/* The next byte to send; false when there is none, or the program stopped the output. */
static bool take_byte(struct station *me)
{
	struct circ_buf *queue = &me->port.state->xmit;

	if (me->port.x_char) {
		me->byte = me->port.x_char;
		me->port.x_char = 0;
	} else if (uart_circ_empty(queue) || uart_tx_stopped(&me->port)) {
		return false;
	} else {
		me->byte = queue->buf[queue->tail];
		queue->tail = (queue->tail + 1) % UART_XMIT_SIZE;
		if (uart_circ_chars_pending(queue) < WAKEUP_CHARS)
			uart_write_wakeup(&me->port);
	}
	me->port.icount.tx++;
	me->damaged = false;
	return true;
}

/* Goes to the next phase; returns how long it lasts, 0 for ever. */
static u64 next_phase(struct station *me)
{
	if (me->phase == SENDING) {
		note_collisions(me);
		deliver(me);
	}
	if (me->phase != TURNING_BACK && take_byte(me)) {
		me->phase = SENDING;
		note_collisions(me);
		return me->byte_ns;
	}
	if (me->phase == SENDING && turns_itself(me) && me->port.rs485.delay_rts_after_send) {
		me->phase = TURNING_BACK;
		return me->port.rs485.delay_rts_after_send * (u64)NSEC_PER_MSEC;
	}
	me->phase = AT_REST;
	if (uart_circ_empty(&me->port.state->xmit) || uart_tx_stopped(&me->port))
		return 0;
	me->phase = TURNING;	/* came while it turned back */
	return 1;
}

static enum hrtimer_restart on_timer(struct hrtimer *timer)
{
	struct station *me = container_of(timer, struct station, timer);
	unsigned long flags;
	u64 lasts_ns;

	spin_lock_irqsave(&me->port.lock, flags);
	lasts_ns = next_phase(me);
	spin_unlock_irqrestore(&me->port.lock, flags);
	if (!lasts_ns)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, ns_to_ktime(lasts_ns));
	return HRTIMER_RESTART;
}

static void start_tx(struct uart_port *port)
{
	struct station *me = station_of(port);
	u64 turn_ns = 1;

	if (me->phase != AT_REST)
		return;
	if (turns_itself(me) && port->rs485.delay_rts_before_send)
		turn_ns = port->rs485.delay_rts_before_send * (u64)NSEC_PER_MSEC;
	me->phase = TURNING;
	hrtimer_start(&me->timer, ns_to_ktime(turn_ns), HRTIMER_MODE_REL);
}

static void nothing(struct uart_port *port)
{
}

static unsigned int tx_empty(struct uart_port *port)
{
	return station_of(port)->phase == AT_REST ? TIOCSER_TEMT : 0;
}

static struct station *far_end(const struct station *me)
{
	unsigned int first;

	company(me, &first);
	return &stations[first + (me == &stations[first])];
}

static unsigned int get_mctrl(struct uart_port *port)
{
	struct station *me = station_of(port);
	unsigned int far;

	if (on_a_pair(me))
		return TIOCM_CTS | TIOCM_DSR | TIOCM_CAR;
	far = far_end(me)->lines;
	return (far & TIOCM_RTS ? TIOCM_CTS : 0) | (far & TIOCM_DTR ? TIOCM_DSR | TIOCM_CAR : 0);
}

static void set_mctrl(struct uart_port *port, unsigned int lines)
{
	struct station *me = station_of(port), *far = far_end(me);
	unsigned int changed = me->lines ^ lines;

	me->lines = lines;
	if (on_a_pair(me) || !far->started || !(changed & (TIOCM_RTS | TIOCM_DTR)))
		return;
	if (changed & TIOCM_RTS)
		far->port.icount.cts++;
	if (changed & TIOCM_DTR) {
		far->port.icount.dsr++;
		far->port.icount.dcd++;
	}
	wake_up_interruptible(&far->port.state->port.delta_msr_wait);
}

static void break_ctl(struct uart_port *port, int on)
{
	struct station *me = station_of(port);
	unsigned long flags;

	if (!on || on_a_pair(me))
		return;
	spin_lock_irqsave(&port->lock, flags);
	put(far_end(me), 0, TTY_BREAK);
	spin_unlock_irqrestore(&port->lock, flags);
}

static int startup(struct uart_port *port)
{
	struct station *me = station_of(port);

	me->phase = AT_REST;
	me->started = true;
	return 0;
}

static void shutdown(struct uart_port *port)
{
	struct station *me = station_of(port);

	me->started = false;
	hrtimer_cancel(&me->timer);
	me->phase = AT_REST;
}

static void set_termios(struct uart_port *port, struct ktermios *wanted, const struct ktermios *before)
{
	struct station *me = station_of(port);
	unsigned int baud = uart_get_baud_rate(port, wanted, before, 50, 4000000);
	unsigned long flags;

	spin_lock_irqsave(&port->lock, flags);
	me->byte_ns = div_u64((u64)tty_get_frame_size(wanted->c_cflag) * NSEC_PER_SEC, baud);
	me->format = wanted->c_cflag & FORMAT;
	port->read_status_mask = wanted->c_cflag & CREAD;
	uart_update_timeout(port, wanted->c_cflag, baud);
	spin_unlock_irqrestore(&port->lock, flags);
}

static const char *type(struct uart_port *port)
{
	return "lintel bench";
}

static int request_port(struct uart_port *port)
{
	return 0;
}

static void config_port(struct uart_port *port, int flags)
{
	port->type = PORT_16550A;	/* any type but "unknown", which cannot be opened */
}

static int verify_port(struct uart_port *port, struct serial_struct *wanted)
{
	return 0;
}

static int set_rs485(struct uart_port *port, struct ktermios *termios, struct serial_rs485 *wanted)
{
	return 0;		/* the core keeps it in port->rs485, where it is read */
}

static const struct serial_rs485 rs485_can = {
	.flags = SER_RS485_ENABLED | SER_RS485_RTS_ON_SEND | SER_RS485_RTS_AFTER_SEND | SER_RS485_RX_DURING_TX,
	.delay_rts_before_send = 1,
	.delay_rts_after_send = 1,
};

static const struct uart_ops operations = {
	.tx_empty = tx_empty,
	.set_mctrl = set_mctrl,
	.get_mctrl = get_mctrl,
	.stop_tx = nothing,
	.start_tx = start_tx,
	.stop_rx = nothing,
	.enable_ms = nothing,
	.break_ctl = break_ctl,
	.startup = startup,
	.shutdown = shutdown,
	.set_termios = set_termios,
	.type = type,
	.release_port = nothing,
	.request_port = request_port,
	.config_port = config_port,
	.verify_port = verify_port,
};

static struct uart_driver driver = {
	.owner = THIS_MODULE,
	.driver_name = "lintel-bench-uart",
	.dev_name = "ttyVB",
	.nr = PORTS,
};

static int add_station(unsigned int number)
{
	struct station *me = &stations[number];

	hrtimer_init(&me->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	me->timer.function = on_timer;
	spin_lock_init(&me->port.lock);
	me->port.line = number;
	me->port.dev = &board->dev;
	me->port.type = PORT_16550A;
	me->port.iotype = UPIO_MEM;
	me->port.mapbase = number + 1;	/* the core asks for an address that is not zero */
	me->port.uartclk = 16 * 4000000;
	me->port.fifosize = 1;
	me->port.ops = &operations;
	if (on_a_pair(me)) {
		me->port.rs485_config = set_rs485;
		me->port.rs485_supported = rs485_can;
	}
	return uart_add_one_port(&driver, &me->port);
}

static void remove_stations(unsigned int count)
{
	while (count--)
		uart_remove_one_port(&driver, &stations[count].port);
}

static int __init bench_uart_init(void)
{
	unsigned int number;
	int error = uart_register_driver(&driver);

	if (error)
		return error;
	board = platform_device_register_simple("lintel-bench-uart", -1, NULL, 0);
	if (IS_ERR(board)) {
		uart_unregister_driver(&driver);
		return PTR_ERR(board);
	}
	for (number = 0; number < PORTS; number++) {
		error = add_station(number);
		if (error) {
			remove_stations(number);
			platform_device_unregister(board);
			uart_unregister_driver(&driver);
			return error;
		}
	}
	return 0;
}

static void __exit bench_uart_exit(void)
{
	remove_stations(PORTS);
	platform_device_unregister(board);
	uart_unregister_driver(&driver);
}

module_init(bench_uart_init);
module_exit(bench_uart_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Serial ports and RS-485 pairs that exist in the kernel alone");
