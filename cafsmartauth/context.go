package cafsmartauth

import "github.com/kyckit/kyckit"

// Context is where an attempt came from.
type Context struct {
	kyckit.Redacted
	Device   *Device   `json:"device,omitempty"`
	Location *Location `json:"location,omitempty"`
	Network  *Network  `json:"network,omitempty"`
}

// Device is the device of an attempt.
type Device struct {
	kyckit.Redacted
	Info         *DeviceInfo     `json:"info,omitempty"`
	FingerPrint  string          `json:"fingerPrint,omitempty"`
	ProvidedInfo *DeviceProvided `json:"providedInfo,omitempty"`
	CreatedAt    Time            `json:"createdAt,omitzero"`
	// Type is shown as "web".
	Type string `json:"type,omitempty"`
}

// DeviceInfo is what the user agent tells.
type DeviceInfo struct {
	kyckit.Redacted
	UserAgent string       `json:"userAgent,omitempty"`
	Browser   *Browser     `json:"browser,omitempty"`
	Engine    *Software    `json:"engine,omitempty"`
	OS        *Software    `json:"os,omitempty"`
	Device    *DeviceModel `json:"device,omitempty"`
	CPU       *CPU         `json:"cpu,omitempty"`
}

// Browser is a browser; Major is the first part of its version.
type Browser struct {
	kyckit.Redacted
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
	Major   Number `json:"major,omitempty"`
}

// Software is an engine or an operating system.
type Software struct {
	kyckit.Redacted
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
}

// DeviceModel is a make of device.
type DeviceModel struct {
	kyckit.Redacted
	Vendor string `json:"vendor,omitempty"`
	Model  string `json:"model,omitempty"`
	Type   string `json:"type,omitempty"`
}

// CPU is a processor.
type CPU struct {
	kyckit.Redacted
	Architecture string `json:"architecture,omitempty"`
}

// DeviceProvided is what the SDK tells of the device.
type DeviceProvided struct {
	kyckit.Redacted
	Manufacturer    string `json:"manufacturer,omitempty"`
	Model           string `json:"model,omitempty"`
	OperatingSystem string `json:"operatingSystem,omitempty"`
	Platform        string `json:"platform,omitempty"`
}

// Location is where an attempt was made.
type Location struct {
	kyckit.Redacted
	ReverseGeolocation *Address `json:"reverseGeolocation,omitempty"`
	Location           *Point   `json:"location,omitempty"`
}

// Address is an address found for a point.
type Address struct {
	kyckit.Redacted
	FormattedAddress string `json:"formattedAddress,omitempty"`
	StreetName       string `json:"streetName,omitempty"`
	StreetNumber     Number `json:"streetNumber,omitempty"`
	Neighborhood     string `json:"neighborhood,omitempty"`
	City             string `json:"city,omitempty"`
	Region           string `json:"region,omitempty"`
	RegionCode       string `json:"regionCode,omitempty"`
	Country          string `json:"country,omitempty"`
	CountryCode      string `json:"countryCode,omitempty"`
	Zipcode          Number `json:"zipcode,omitempty"`
}

// Point is a position. In spite of its type, "Point", it is not GeoJSON.
type Point struct {
	kyckit.Redacted
	Type string `json:"type,omitempty"`
	// Accuracy is sent as a string. Its unit is not documented.
	Accuracy Number `json:"accuracy,omitempty"`
	// Coordinates are latitude first, longitude second, the reverse of GeoJSON.
	Coordinates []Number `json:"coordinates,omitempty"`
}

// LatLng returns the position in degrees. It is false unless there are exactly
// two numbers within -90 to 90 and -180 to 180.
func (p *Point) LatLng() (latitude, longitude float64, ok bool) {
	if p == nil || len(p.Coordinates) != 2 {
		return 0, 0, false
	}
	latitude, ok1 := p.Coordinates[0].Float64()
	longitude, ok2 := p.Coordinates[1].Float64()
	if !ok1 || !ok2 || latitude < -90 || latitude > 90 || longitude < -180 || longitude > 180 {
		return 0, 0, false
	}
	return latitude, longitude, true
}

// Network is the network of an attempt.
type Network struct {
	kyckit.Redacted
	IP string `json:"ip,omitempty"`
	// ASCode is the number of the autonomous system.
	ASCode   Number           `json:"asCode,omitempty"`
	ASName   string           `json:"asName,omitempty"`
	IsVPN    *bool            `json:"isVpn,omitempty"`
	Location *NetworkLocation `json:"location,omitempty"`
}

// NetworkLocation is where a network is.
type NetworkLocation struct {
	kyckit.Redacted
	City        string `json:"city,omitempty"`
	Region      string `json:"region,omitempty"`
	RegionCode  string `json:"regionCode,omitempty"`
	Country     string `json:"country,omitempty"`
	CountryCode string `json:"countryCode,omitempty"`
}
