package evvet

import (
	"go/token"
	"go/types"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestServersAreKnownByTheTypeOfTheirHandlers(t *testing.T) {
	pointer := func(path, pkg, name string) types.Type {
		p := types.NewPackage(path, pkg)
		n := types.NewNamed(types.NewTypeName(token.NoPos, p, name, nil), types.NewStruct(nil, nil), nil)
		return types.NewPointer(n)
	}
	takes := func(params ...types.Type) *types.Signature {
		var vars []*types.Var
		for _, p := range params {
			vars = append(vars, types.NewParam(token.NoPos, nil, "", p))
		}
		return types.NewSignatureType(nil, nil, nil, types.NewTuple(vars...), nil, false)
	}
	gin := pointer("github.com/gin-gonic/gin", "gin", "Context")
	assert.Equal(t, "gin", server(takes(gin)))
	assert.Equal(t, "echo", server(takes(pointer("github.com/labstack/echo/v4", "echo", "Context"))))
	assert.Equal(t, "fiber", server(takes(pointer("github.com/gofiber/fiber/v2", "fiber", "Ctx"))))
	assert.Empty(t, server(takes(gin, gin)))
	assert.Empty(t, server(takes(pointer("net/http", "http", "Request"))))
	assert.Empty(t, server(takes(types.Typ[types.Int])))
	assert.Empty(t, server(takes()))
}
