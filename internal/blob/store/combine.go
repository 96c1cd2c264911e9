package store

// Checksums over parts become one over the object without reading a byte again. For a CRC that is arithmetic: running its register over
// n zero bytes is a linear map over GF(2), so the register behind A followed by B is that of A, moved on by len(B) zero bytes, plus
// that of B. The pre- and post-inversion of the CRCs of S3 cancel out in this sum.

// combineCRC is the CRC of A followed by B, from the CRCs of both and the length of B. polynomial is reflected, of so many bits.
func combineCRC(polynomial uint64, bits int, a, b uint64, bytesOfB int64) uint64 {
	// step is the map of one zero bit; column i is where bit i goes. Squared, it is that of two bits, then four, and so on.
	step := make([]uint64, bits)
	step[0] = polynomial
	for i := 1; i < bits; i++ {
		step[i] = 1 << (i - 1)
	}
	for n := uint64(bytesOfB) * 8; n > 0; n >>= 1 {
		if n&1 == 1 {
			a = times(step, a)
		}
		squared := make([]uint64, bits)
		for i := range squared {
			squared[i] = times(step, step[i])
		}
		step = squared
	}
	return a ^ b
}

// times is a matrix of columns, times a vector.
func times(columns []uint64, vector uint64) (sum uint64) {
	for i := 0; vector != 0; i, vector = i+1, vector>>1 {
		if vector&1 == 1 {
			sum ^= columns[i]
		}
	}
	return sum
}
