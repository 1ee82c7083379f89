// Command franz reads both sides with franz-go and hashes every partition: what a fast Go program would do.
//
//	franz LEFT RIGHT TOPIC RECORDS
//
// RECORDS are read from each of three partitions. It prints {"counts": [[...], [...]], "digests": the same}: a list of
// partitions for each side.
package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	partitions   = 3
	stallTimeout = 30 * time.Second
)

// side is what one cluster gave.
type side struct {
	counts  [partitions]int
	digests [partitions]string
	err     error
}

func read(bootstrap, topic string, records int) (found side) {
	offsets := make(map[int32]kgo.Offset)
	var hashes [partitions]hash.Hash
	for partition := range hashes {
		offsets[int32(partition)] = kgo.NewOffset().At(0)
		hashes[partition] = md5.New()
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.DisableClientMetrics(),
		// Large answers: with the default of 1 MiB a partition it is slower.
		kgo.FetchMaxBytes(64<<20),
		kgo.FetchMaxPartitionBytes(16<<20),
	)
	if err != nil {
		return side{err: err}
	}
	defer client.Close()
	for missing := records * partitions; missing > 0; {
		patience, cancel := context.WithTimeout(context.Background(), stallTimeout)
		fetches := client.PollFetches(patience)
		cancel()
		if err := fetches.Err(); err != nil {
			return side{err: fmt.Errorf("%d records of %s at %s are missing: %w", missing, topic, bootstrap, err)}
		}
		fetches.EachPartition(func(each kgo.FetchTopicPartition) {
			digest := hashes[each.Partition]
			for _, record := range each.Records {
				digest.Write(record.Key)
				digest.Write(record.Value)
			}
			found.counts[each.Partition] += len(each.Records)
			missing -= len(each.Records)
		})
	}
	for partition, digest := range hashes {
		found.digests[partition] = hex.EncodeToString(digest.Sum(nil))
	}
	return found
}

func run() error {
	if len(os.Args) != 5 {
		return fmt.Errorf("usage: %s LEFT RIGHT TOPIC RECORDS", os.Args[0])
	}
	records, err := strconv.Atoi(os.Args[4])
	if err != nil {
		return err
	}
	var sides [2]side
	var reading sync.WaitGroup
	for place, bootstrap := range os.Args[1:3] {
		reading.Go(func() { sides[place] = read(bootstrap, os.Args[3], records) })
	}
	reading.Wait()
	answer := struct {
		Counts  [2][partitions]int    `json:"counts"`
		Digests [2][partitions]string `json:"digests"`
	}{}
	for place, each := range sides {
		if each.err != nil {
			return each.err
		}
		answer.Counts[place], answer.Digests[place] = each.counts, each.digests
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
