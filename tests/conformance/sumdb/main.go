// Command sumdb verifies what a Patchbay ledger says with Go's checksum-database packages, none of which is ours.
//
// It reads one JSON object from standard input and prints "ok", or what does not hold.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Key         string      `json:"key"`
	Old         string      `json:"old"`
	New         string      `json:"new"`
	Consistency [][]byte    `json:"consistency"`
	Entries     []inclusion `json:"entries"`
}

type inclusion struct {
	Seq   int64    `json:"seq"`
	Leaf  []byte   `json:"leaf"`
	Proof [][]byte `json:"proof"`
}

func main() {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fmt.Println("not a question:", err)
		os.Exit(2)
	}
	if err := verify(asked); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

func verify(asked question) error {
	old, err := open(asked.Old, asked.Key)
	if err != nil {
		return fmt.Errorf("old checkpoint: %w", err)
	}
	current, err := open(asked.New, asked.Key)
	if err != nil {
		return fmt.Errorf("new checkpoint: %w", err)
	}
	if err := tlog.CheckTree(hashes(asked.Consistency), current.N, current.Hash, old.N, old.Hash); err != nil {
		return fmt.Errorf("consistency: %w", err)
	}
	for _, one := range asked.Entries {
		leaf := tlog.RecordHash(one.Leaf)
		if err := tlog.CheckRecord(hashes(one.Proof), current.N, current.Hash, one.Seq, leaf); err != nil {
			return fmt.Errorf("entry %d: %w", one.Seq, err)
		}
	}
	return nil
}

// open verifies a signed note and reads the size and root from its second and third line.
func open(signed, key string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 3 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, err
	}
	return tlog.Tree{N: size, Hash: root}, nil
}

func hashes(proof [][]byte) []tlog.Hash {
	read := make([]tlog.Hash, len(proof))
	for i, digest := range proof {
		copy(read[i][:], digest)
	}
	return read
}
