package kycjwttest_test

import (
	"context"
	"fmt"
	"log"

	"github.com/kyckit/kyckit/kycjwt"
	"github.com/kyckit/kyckit/kycjwt/kycjwttest"
	"github.com/kyckit/kyckit/kyctest"
)

func Example() {
	fake := kycjwttest.NewServer(kycjwttest.Config{})
	defer fake.Close()
	client, err := kycjwt.New(fake.ClientConfig())
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	_, err = client.Questionnaire(ctx, kycjwttest.QuestionnaireID)
	fmt.Println(err)

	fake.RotateKey()                                           // all tokens die
	fake.Fail("questionnaire", 2, kyctest.Fault{Hangup: true}) // and the replay is cut off
	_, err = client.Questionnaire(ctx, kycjwttest.QuestionnaireID)
	fmt.Println(err, fake.Count("login"))
	// Output:
	// <nil>
	// <nil> 2
}
