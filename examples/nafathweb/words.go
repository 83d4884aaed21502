package main

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// outcome is how a verification ended, as it is stored.
type outcome string

const (
	outcomeVerified outcome = "verified"
	outcomeRejected outcome = "rejected"
	outcomeExpired  outcome = "expired"
	outcomeFailed   outcome = "failed"
	outcomeMismatch outcome = "mismatch" // the details are somebody else's
	outcomeUnknown  outcome = "unknown"  // a prompt may be on the phone
	outcomeUnsent   outcome = "unsent"   // nothing was sent
)

// language is the words of one language.
type language struct {
	Code, Dir, Other, OtherName string
	Title, Demo, Why, Steps     string
	Label, Hint, Start          string
	Queue, Soon, CodeLabel      string
	CodeHelp, App, Left         string
	Waiting, Checking           string
	Retry, Leave, NoScript      string
	LeaveQueue, Trouble, Reload string
	Seconds, Minutes            string
	Again, InQueue              string
	Verified, NotVerified       string
	Outcomes                    map[outcome]string
	Errors                      map[string]string
}

var english = &language{
	Code: "en", Dir: "ltr", Other: "ar", OtherName: "العربية",
	Title:      "Confirm who you are",
	Demo:       "DEMO – no real person is verified here",
	Why:        "Example Shop needs to know that you are the holder of this national id before it opens your account. It reads your name and date of birth from the national register, keeps that you were verified, and gives nothing to others.",
	Steps:      "When you press the button, a request is sent to the identity app on your phone. You compare a number and approve. Never approve a request that you did not start. Nobody may ask for your password or a one-time code.",
	Label:      "National id or residence number",
	Hint:       "Ten digits, beginning with 1 or 2",
	Start:      "Send the request to my phone",
	Queue:      "You are number {place} in the queue. The request goes out in about {eta} seconds.",
	Soon:       "The request is being sent to your phone.",
	CodeLabel:  "Your number",
	CodeHelp:   "Open the identity app on your phone and choose this number.",
	App:        "Open the app",
	Left:       "Time left",
	Waiting:    "Waiting for your answer on the phone.",
	Checking:   "You approved. Reading the register.",
	Retry:      "Start again",
	Leave:      "Finish",
	NoScript:   "This page reloads by itself.",
	LeaveQueue: "Leave the queue",
	Trouble:    "Something is wrong on our side. What you began goes on. This page tries again by itself.",
	Reload:     "Try again now",
	Seconds:    "This will be possible in about {n} seconds.",
	Minutes:    "This will be possible in about {n} minutes.",
	Again:      "Starting again sends nothing yet. You will be asked first.",
	InQueue:    "You are in the queue.",
	Verified:   "Verified", NotVerified: "Not verified",
	Outcomes: map[outcome]string{
		outcomeVerified: "You are verified.",
		outcomeRejected: "You declined the request on your phone. Nothing was read.",
		outcomeExpired:  "There was no answer in time. The request on your phone has ended.",
		outcomeFailed:   "The identity service could not carry the request out. You may try again.",
		outcomeMismatch: "The identity service answered for somebody else. You are not verified. Please contact us.",
		outcomeUnknown:  "We do not know whether the request reached your phone. If one appears, dismiss it: it has no number here. Wait a few minutes before you start again.",
		outcomeUnsent:   "Nothing was sent to your phone. You may try again.",
	},
	Errors: map[string]string{
		"id":       "This is not a national id or residence number.",
		"open":     "A request for this number is open already. Finish it where it was started, or wait until it ends. Nothing was sent.",
		"busy":     "No request can be sent for this number at the moment. Nothing was sent.",
		"closing":  "This service is being restarted. Please try again in a moment. Nothing was sent.",
		"often":    "There were too many attempts. Please try again later. Nothing was sent.",
		"session":  "Your session was new or has ended. Please try again. Nothing was sent.",
		"internal": "Something is wrong on our side. Please try again later. Nothing was sent.",
	},
}

var arabic = &language{
	Code: "ar", Dir: "rtl", Other: "en", OtherName: "English",
	Title:      "تأكيد هويتك",
	Demo:       "تجربة – لا يُتحقق هنا من أي شخص حقيقي",
	Why:        "يحتاج المتجر التجريبي إلى التأكد من أنك صاحب رقم الهوية هذا قبل فتح حسابك. يقرأ اسمك وتاريخ ميلادك من السجل الوطني، ويحتفظ بأنه جرى التحقق منك، ولا يعطي شيئًا لغيره.",
	Steps:      "عند الضغط على الزر يُرسل طلب إلى تطبيق الهوية في جوالك. قارن الرقم ثم وافق. لا توافق على طلب لم تبدأه أنت. لا يحق لأحد أن يطلب كلمة المرور أو رمزًا لمرة واحدة.",
	Label:      "رقم الهوية الوطنية أو الإقامة",
	Hint:       "عشرة أرقام تبدأ بـ 1 أو 2",
	Start:      "أرسل الطلب إلى جوالي",
	Queue:      "ترتيبك في الانتظار {place}. يُرسل الطلب خلال {eta} ثانية تقريبًا.",
	Soon:       "يجري إرسال الطلب إلى جوالك.",
	CodeLabel:  "رقمك",
	CodeHelp:   "افتح تطبيق الهوية في جوالك واختر هذا الرقم.",
	App:        "افتح التطبيق",
	Left:       "الوقت المتبقي",
	Waiting:    "في انتظار إجابتك على الجوال.",
	Checking:   "تمت الموافقة. نقرأ السجل.",
	Retry:      "ابدأ من جديد",
	Leave:      "إنهاء",
	NoScript:   "تُحدَّث هذه الصفحة تلقائيًا.",
	LeaveQueue: "مغادرة قائمة الانتظار",
	Trouble:    "حدث خطأ لدينا. ما بدأته مستمر. ستُحاول هذه الصفحة مرة أخرى تلقائيًا.",
	Reload:     "حاول الآن",
	Seconds:    "سيكون ذلك ممكنًا بعد {n} ثانية تقريبًا.",
	Minutes:    "سيكون ذلك ممكنًا بعد {n} دقيقة تقريبًا.",
	Again:      "البدء من جديد لا يرسل شيئًا بعد. ستُسأل أولًا.",
	InQueue:    "أنت في قائمة الانتظار.",
	Verified:   "تم التحقق", NotVerified: "لم يتم التحقق",
	Outcomes: map[outcome]string{
		outcomeVerified: "تم التحقق من هويتك.",
		outcomeRejected: "رفضت الطلب على جوالك. لم يُقرأ شيء.",
		outcomeExpired:  "لم تصل إجابة في الوقت المحدد. انتهى الطلب على جوالك.",
		outcomeFailed:   "لم تتمكن خدمة الهوية من تنفيذ الطلب. يمكنك المحاولة مرة أخرى.",
		outcomeMismatch: "أجابت خدمة الهوية عن شخص آخر. لم يتم التحقق منك. يرجى التواصل معنا.",
		outcomeUnknown:  "لا نعلم هل وصل الطلب إلى جوالك. إن ظهر طلب فتجاهله: لا رقم له هنا. انتظر بضع دقائق قبل أن تبدأ من جديد.",
		outcomeUnsent:   "لم يُرسل شيء إلى جوالك. يمكنك المحاولة مرة أخرى.",
	},
	Errors: map[string]string{
		"id":       "هذا ليس رقم هوية وطنية أو إقامة.",
		"open":     "يوجد طلب مفتوح لهذا الرقم. أكمله حيث بدأ، أو انتظر حتى ينتهي. لم يُرسل شيء.",
		"busy":     "لا يمكن إرسال طلب لهذا الرقم الآن. لم يُرسل شيء.",
		"closing":  "تجري إعادة تشغيل الخدمة. حاول مرة أخرى بعد لحظات. لم يُرسل شيء.",
		"often":    "محاولات كثيرة. حاول لاحقًا. لم يُرسل شيء.",
		"session":  "جلستك جديدة أو انتهت. حاول مرة أخرى. لم يُرسل شيء.",
		"internal": "حدث خطأ لدينا. حاول لاحقًا. لم يُرسل شيء.",
	},
}

// after says in words how long to wait.
func (l *language) after(wait time.Duration) string {
	words, n := l.Seconds, max(5, int(math.Ceil(wait.Seconds())))
	if n > 90 {
		words, n = l.Minutes, (n+59)/60
	}
	return strings.ReplaceAll(words, "{n}", strconv.Itoa(n))
}

// languageOf returns the language of ?lang, else the first known one that the
// browser asks for, else English.
func languageOf(r *http.Request) *language {
	for _, code := range append([]string{r.URL.Query().Get("lang")}, strings.Split(r.Header.Get("Accept-Language"), ",")...) {
		switch code = strings.ToLower(strings.TrimSpace(code)); {
		case strings.HasPrefix(code, "ar"):
			return arabic
		case strings.HasPrefix(code, "en"):
			return english
		}
	}
	return english
}
