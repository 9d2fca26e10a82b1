0: a = arch
1: if a == 0xc000003e goto 3 else 2
2: return KILL_THREAD
3: a = nr
4: if a >= 0x40000000 goto 5 else 6
5: return ERRNO(38)
6: return ALLOW
