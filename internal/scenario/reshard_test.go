package scenario

import (
	"math/big"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// Shows that a shard is split where AWS allows it, whatever is drawn: above its second key and below its last.
func TestSplitKey(t *testing.T) {
	for _, row := range []struct{ start, end, least, most string }{
		{"0", "340282366920938463463374607431768211455", "2", "340282366920938463463374607431768211454"},
		{"170141183460469231731687303715884105728", "340282366920938463463374607431768211455", "170141183460469231731687303715884105730", "340282366920938463463374607431768211454"},
		{"7", "10", "9", "9"},
	} {
		shard := types.Shard{HashKeyRange: &types.HashKeyRange{StartingHashKey: aws.String(row.start), EndingHashKey: aws.String(row.end)}}
		for _, part := range []float64{0, 1e-12, 0.3, 0.5, 0.999999999999} {
			at, _ := new(big.Int).SetString(splitKey(shard, part), 10)
			if at.Cmp(hashKey(&row.least)) < 0 || at.Cmp(hashKey(&row.most)) > 0 {
				t.Errorf("%s to %s at %g: %s", row.start, row.end, part, at)
			}
		}
	}
}
