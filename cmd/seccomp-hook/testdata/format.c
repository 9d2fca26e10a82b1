/* p* /.json: 7 instructions, sha256 003c63a4c28869e572a90441e9fd0fdaaeca34c711005591a5705cad92c744a8 */
struct sock_filter filter[] = {
	{ 0x0020,   0,   0, 0x00000004 }, /*    0: a = arch */
	{ 0x0015,   1,   0, 0xc000003e }, /*    1: if a == 0xc000003e goto +1 else +0 */
	{ 0x0006,   0,   0, 0x00000000 }, /*    2: return KILL_THREAD */
	{ 0x0020,   0,   0, 0x00000000 }, /*    3: a = nr */
	{ 0x0035,   0,   1, 0x40000000 }, /*    4: if a >= 0x40000000 goto +0 else +1 */
	{ 0x0006,   0,   0, 0x00050026 }, /*    5: return ERRNO(38) */
	{ 0x0006,   0,   0, 0x7fff0000 }, /*    6: return ALLOW */
};
